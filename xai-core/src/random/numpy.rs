//! NumPy's legacy generator, bit for bit: the draws of `numpy.random.seed` and the related
//! functions.
//!
//! NumPy promises never to change these numbers. New code uses [`stream`](super::stream)s.

use std::ops::Range;

const N: usize = 624;
const M: usize = 397;

/// `numpy.random.RandomState`: the Mersenne Twister MT19937 (Matsumoto and Nishimura, ACM TOMACS 8,
/// 1998) and the draws made from it.
#[derive(Clone)]
pub struct RandomState {
    state: [u32; N],
    next: usize,
    /// The second of two normal numbers drawn together.
    normal: Option<f64>,
}

impl RandomState {
    /// Seeded by the authors' `init_genrand`, as in `numpy.random.seed(int)`.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let last = state[i - 1];
            state[i] = (last ^ (last >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self {
            state,
            next: N,
            normal: None,
        }
    }

    /// A double in [0, 1) with 53 random bits: `random_sample()`.
    pub fn random_sample(&mut self) -> f64 {
        double([self.next_u32(), self.next_u32()])
    }

    /// A normal number with mean 0 and deviation 1: `standard_normal()`, by Marsaglia's polar method.
    pub fn standard_normal(&mut self) -> f64 {
        if let Some(second) = self.normal.take() {
            return second;
        }
        loop {
            let [u, v] = [0, 1].map(|_| 2.0 * self.random_sample() - 1.0);
            let r = u * u + v * v;
            if 0.0 < r && r < 1.0 {
                let f = (-2.0 * r.ln() / r).sqrt();
                self.normal = Some(f * u);
                return f * v;
            }
        }
    }

    /// Doubles for all of `values`: `random_sample(len(values))`.
    pub fn random_samples(&mut self, values: &mut [f64]) {
        let whole = match self.next {
            N => values.len() / (N / 2) * (N / 2),
            _ => 0,
        };
        // All numbers of the state at once, which the compiler vectorises.
        let (blocks, rest) = values.split_at_mut(whole);
        for block in blocks.as_chunks_mut::<{ N / 2 }>().0 {
            self.refill();
            let words = self.state.map(tempered);
            for (value, words) in block.iter_mut().zip(words.as_chunks().0) {
                *value = double(*words);
            }
            self.next = N;
        }
        for value in rest {
            *value = self.random_sample();
        }
    }

    /// An integer of the range: `randint(range.start, range.end)`.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn randint(&mut self, range: Range<i64>) -> i64 {
        assert!(!range.is_empty(), "no integer lies in {range:?}");
        let most = range.end.wrapping_sub(range.start) as u64 - 1;
        range.start.wrapping_add(self.interval(most) as i64)
    }

    /// The index of one of `count` items: `choice(numpy.arange(count))`.
    ///
    /// # Panics
    /// If `count` is 0.
    pub fn choice(&mut self, count: usize) -> usize {
        self.randint(0..count as i64) as usize
    }

    /// Shuffles a list in place: `shuffle(list)`.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.interval(i as u64) as usize);
        }
    }

    /// An integer from 0 to `most`. NumPy keeps as many random bits as `most` has and draws again
    /// while the number is too large. If only one number is possible, it draws nothing.
    fn interval(&mut self, most: u64) -> u64 {
        if most == 0 {
            return 0;
        }
        let mask = u64::MAX >> most.leading_zeros();
        loop {
            let bits = match u32::try_from(most) {
                Ok(_) => u64::from(self.next_u32()),
                Err(_) => u64::from(self.next_u32()) << 32 | u64::from(self.next_u32()),
            };
            if bits & mask <= most {
                return bits & mask;
            }
        }
    }

    /// 32 random bits.
    fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let word = self.state[self.next];
        self.next += 1;
        tempered(word)
    }

    fn refill(&mut self) {
        let twisted = |here: u32, next: u32, far: u32| {
            let y = (here & 0x8000_0000) | (next & 0x7fff_ffff);
            far ^ (y >> 1) ^ ((y & 1).wrapping_neg() & 0x9908_b0df)
        };
        let state = &mut self.state;
        for i in 0..N - M {
            state[i] = twisted(state[i], state[i + 1], state[i + M]);
        }
        for i in N - M..N - 1 {
            state[i] = twisted(state[i], state[i + 1], state[i + M - N]);
        }
        state[N - 1] = twisted(state[N - 1], state[0], state[M - 1]);
        self.next = 0;
    }
}

fn tempered(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

/// In [0, 1), from 27 and 26 random bits.
fn double([high, low]: [u32; 2]) -> f64 {
    (f64::from(high >> 5) * 67_108_864.0 + f64::from(low >> 6)) / 9_007_199_254_740_992.0
}
