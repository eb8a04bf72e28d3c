//! Uniform noise from the Mersenne Twister, the same numbers as `numpy.random.RandomState(seed)`.

use ndarray::Array2;

const N: usize = 624;
const M: usize = 397;

/// The generator MT19937 (Matsumoto and Nishimura, ACM TOMACS 8, 1998).
#[derive(Clone)]
pub struct MersenneTwister {
    state: [u32; N],
    next: usize,
}

impl MersenneTwister {
    /// Seeded by the authors' `init_genrand`, as NumPy's legacy `seed(int)` does.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let last = state[i - 1];
            state[i] = (last ^ (last >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self { state, next: N }
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A double in [0, 1) with 53 random bits (`random_sample`).
    pub fn next_f64(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    fn refill(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }
}

/// Uniform noise in [0, 1), drawn row by row: `RandomState(seed).uniform(size=(rows, columns))`.
pub fn uniform(seed: u32, rows: usize, columns: usize) -> Array2<f64> {
    let mut generator = MersenneTwister::new(seed);
    Array2::from_shape_simple_fn((rows, columns), || generator.next_f64())
}
