//! Random values of every struct, for property tests: a seed gives a value.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Token;

/// A type of which random values can be made.
pub(crate) trait Sample: Sized {
    fn sample(random: &mut StdRng) -> Self;

    fn from_seed(seed: u64) -> Self {
        Self::sample(&mut StdRng::seed_from_u64(seed))
    }
}

impl Sample for bool {
    fn sample(random: &mut StdRng) -> Self {
        random.random()
    }
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn sample(random: &mut StdRng) -> Self {
                // Small and extreme numbers matter most, as their length on the wire changes.
                let value: $type = random.random();
                match random.random_range(0..4) {
                    0 => value % 100,
                    1 => <$type>::MIN,
                    2 => <$type>::MAX,
                    _ => value,
                }
            }
        }
    )*};
}
integer!(i8, i16, i32, i64);

impl Sample for String {
    fn sample(random: &mut StdRng) -> Self {
        let length = random.random_range(0..20);
        (0..length)
            .map(|_| match random.random_range(0..4) {
                0 => char::from(random.random_range(0..0x80_u8)),
                1 => '哈',
                2 => '😀',
                _ => char::from(random.random_range(b'a'..=b'z')),
            })
            .collect()
    }
}

impl Sample for Bytes {
    fn sample(random: &mut StdRng) -> Self {
        let length = random.random_range(0..200);
        (0..length).map(|_| random.random::<u8>()).collect()
    }
}

impl Sample for Token {
    fn sample(random: &mut StdRng) -> Self {
        if random.random() {
            Self::Number(i64::sample(random))
        } else {
            Self::Text(String::sample(random))
        }
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(random: &mut StdRng) -> Self {
        random.random::<bool>().then(|| T::sample(random))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(random: &mut StdRng) -> Self {
        // Sometimes over 14, where the length of a list is written differently.
        let count = if random.random_range(0..5) == 0 {
            17
        } else {
            random.random_range(0..4)
        };
        (0..count).map(|_| T::sample(random)).collect()
    }
}

impl<T: Sample> Sample for BTreeMap<String, T> {
    fn sample(random: &mut StdRng) -> Self {
        let count = random.random_range(0..4);
        (0..count)
            .map(|_| (String::sample(random), T::sample(random)))
            .collect()
    }
}
