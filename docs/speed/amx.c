// What AMX could give: a product of float32 matrices from three products in bf16, against AVX-512.
//
//     gcc -O3 -march=sapphirerapids docs/speed/amx.c -o amx -lm && ./amx
//
// One core multiplies two square matrices of normally distributed numbers. Each number is split into
// high + low, two numbers in bf16, and high x high + high x low + low x high is summed in float32. The time is given
// with the splitting and without it, because weights are split once. The error is the root mean square of the difference
// from a product in float64, relative to that of the product itself.
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { N = 768, ROUNDS = 60 };

static float a[N * N], b[N * N], c[N * N], packed[N * N];
static uint16_t a_high[N * N], a_low[N * N], b_high[N * N], b_low[N * N];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static float normal(void) {
    double u = (rand() + 1.0) / (RAND_MAX + 2.0), v = rand() / (RAND_MAX + 1.0);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

// B in panels of 32 columns, so that the kernel reads it in order.
static void pack(void) {
    for (int panel = 0; panel < N; panel += 32)
        for (int k = 0; k < N; k++) memcpy(packed + panel * N + k * 32, b + k * N + panel, 32 * sizeof(float));
}

// 12 rows and 32 columns at a time: 24 sums in registers, as in this project's kernels.
static void avx512(void) {
    for (int panel = 0; panel < N; panel += 32)
        for (int row = 0; row < N; row += 12) {
            __m512 sums[12][2];
            for (int r = 0; r < 12; r++) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
            const float *right = packed + panel * N, *left = a + row * N;
            for (int k = 0; k < N; k++, right += 32) {
                __m512 first = _mm512_loadu_ps(right), second = _mm512_loadu_ps(right + 16);
#pragma GCC unroll 12
                for (int r = 0; r < 12; r++) {
                    __m512 one = _mm512_set1_ps(left[r * N + k]);
                    sums[r][0] = _mm512_fmadd_ps(one, first, sums[r][0]);
                    sums[r][1] = _mm512_fmadd_ps(one, second, sums[r][1]);
                }
            }
            for (int r = 0; r < 12; r++) {
                _mm512_storeu_ps(c + (row + r) * N + panel, sums[r][0]);
                _mm512_storeu_ps(c + (row + r) * N + panel + 16, sums[r][1]);
            }
        }
}

static void halves(__m512 x, __m256bh *high, __m256bh *low) {
    *high = _mm512_cvtneps_pbh(x);
    __m512 back = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)*high), 16));
    *low = _mm512_cvtneps_pbh(_mm512_sub_ps(x, back));
}

// A in tiles of 16 rows and 32 numbers.
static void split_a(void) {
    for (int row = 0; row < N; row++)
        for (int k = 0; k < N; k += 16) {
            __m256bh high, low;
            halves(_mm512_loadu_ps(a + row * N + k), &high, &low);
            int at = (row / 16 * (N / 32) + k / 32) * 512 + row % 16 * 32 + k % 32;
            _mm256_storeu_si256((void *)(a_high + at), (__m256i)high);
            _mm256_storeu_si256((void *)(a_low + at), (__m256i)low);
        }
}

// B in tiles of 16 pairs of rows and 16 columns: the two numbers of a pair are neighbours.
static void split_b(void) {
    for (int k = 0; k < N; k += 2)
        for (int column = 0; column < N; column += 16) {
            __m256bh high[2], low[2];
            for (int of = 0; of < 2; of++) halves(_mm512_loadu_ps(b + (k + of) * N + column), high + of, low + of);
            int at = (column / 16 * (N / 32) + k / 32) * 512 + k % 32 / 2 * 32;
            __m512i both;
            both = _mm512_or_si512(_mm512_cvtepu16_epi32((__m256i)high[0]),
                                   _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)high[1]), 16));
            _mm512_storeu_si512(b_high + at, both);
            both = _mm512_or_si512(_mm512_cvtepu16_epi32((__m256i)low[0]),
                                   _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)low[1]), 16));
            _mm512_storeu_si512(b_low + at, both);
        }
}

// Tiles 0 and 1 have sums, 2 to 5 the halves of two tiles of A, 6 and 7 those of one tile of B.
static void amx(void) {
    for (int column = 0; column < N; column += 16)
        for (int row = 0; row < N; row += 32) {
            _tile_zero(0);
            _tile_zero(1);
            for (int k = 0; k < N / 32; k++) {
                int first = (row / 16 * (N / 32) + k) * 512, second = first + N / 32 * 512;
                int right = (column / 16 * (N / 32) + k) * 512;
                _tile_loadd(6, b_high + right, 64);
                _tile_loadd(2, a_high + first, 64);
                _tile_dpbf16ps(0, 2, 6);
                _tile_loadd(4, a_high + second, 64);
                _tile_dpbf16ps(1, 4, 6);
                _tile_loadd(7, b_low + right, 64);
                _tile_dpbf16ps(0, 2, 7);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(3, a_low + first, 64);
                _tile_dpbf16ps(0, 3, 6);
                _tile_loadd(5, a_low + second, 64);
                _tile_dpbf16ps(1, 5, 6);
            }
            _tile_stored(0, c + row * N + column, N * sizeof(float));
            _tile_stored(1, c + (row + 16) * N + column, N * sizeof(float));
        }
}

static void amx_with_splitting_a(void) {
    split_a();
    amx();
}

static void amx_with_splitting(void) {
    split_a();
    split_b();
    amx();
}

static double error(void) {
    double wrong = 0, all = 0;
    for (int row = 0; row < N; row += 7)
        for (int column = 0; column < N; column += 5) {
            double exact = 0;
            for (int k = 0; k < N; k++) exact += (double)a[row * N + k] * b[k * N + column];
            wrong += (c[row * N + column] - exact) * (c[row * N + column] - exact);
            all += exact * exact;
        }
    return sqrt(wrong / all);
}

int main(void) {
    enum { XTILEDATA = 18, ARCH_REQ_XCOMP_PERM = 0x1023 };
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA)) {
        puts("this machine has no AMX");
        return 1;
    }
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) tiles.bytes[tile] = 64, tiles.rows[tile] = 16;
    _tile_loadconfig(&tiles);
    for (int i = 0; i < N * N; i++) a[i] = normal(), b[i] = normal();
    pack();
    split_a();
    split_b();
    struct {
        const char *name;
        void (*run)(void);
        double best;
    } ways[] = {{"AVX-512, float32", avx512, 1e9},
                {"AMX, three products", amx, 1e9},
                {"AMX, A is split each time", amx_with_splitting_a, 1e9},
                {"AMX, A and B are split each time", amx_with_splitting, 1e9}};
    for (int round = 0; round < ROUNDS; round++) // the ways take turns
        for (int way = 0; way < 4; way++) {
            double start = now();
            ways[way].run();
            double seconds = now() - start;
            if (seconds < ways[way].best) ways[way].best = seconds;
        }
    printf("two matrices of %d x %d, one core, best of %d rounds\n", N, N, ROUNDS);
    for (int way = 0; way < 4; way++) {
        ways[way].run();
        printf("%-34s %6.2f ms  %6.1f billion multiply-adds a second  ratio %4.2f  error %.2g\n", ways[way].name,
               1e3 * ways[way].best, 1e-9 * N * N * N / ways[way].best, ways[way].best / ways[0].best, error());
    }
}
