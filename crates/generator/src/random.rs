//! The only source of chance.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers is for. Streams of one seed do not depend on each other, so asking for more of
/// one changes nothing in the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The values in records.
    Values = 0,
    /// Partition keys.
    PartitionKeys = 1,
    /// Which records are spoiled, and how.
    Poison = 2,
}

/// Random numbers that are the same for a seed on every platform and with every version of every crate.
///
/// ChaCha8 because its output is specified, where `rand::StdRng` is documented to change between releases, and
/// because it has independent streams. The mapping to ranges is our own for the same reason: that of `rand` has
/// changed before, and for `usize` it depended on the pointer's width.
#[derive(Debug, Clone)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Self(rng)
    }

    /// A number from 0 up to, not including, `n`, each as likely as the other; 0 when `n` is 0.
    ///
    /// Draws as many bits as `n` has and draws again when they are too large: a remainder would favour the small.
    pub(crate) fn below(&mut self, n: u128) -> u128 {
        let n_bits = u128::BITS - n.saturating_sub(1).leading_zeros();
        if n_bits == 0 {
            return 0;
        }
        let mask = u128::MAX >> (u128::BITS - n_bits);
        loop {
            let mut bits = u128::from(self.0.next_u64());
            if n_bits > u64::BITS {
                bits |= u128::from(self.0.next_u64()) << u64::BITS;
            }
            if bits & mask < n {
                return bits & mask;
            }
        }
    }

    /// One of the elements, each as likely as the other; `None` when there are none.
    pub(crate) fn pick<'e, T>(&mut self, elements: &'e [T]) -> Option<&'e T> {
        let index = self.below(elements.len() as u128);
        elements.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut random = Random::new(7, Purpose::Values);
        for n in 1..40 {
            let mut reached = vec![false; n];
            for _ in 0..2_000 {
                reached[random.below(n as u128) as usize] = true;
            }
            assert_eq!(reached, vec![true; n]);
        }
    }

    #[test]
    fn below_does_not_favour_the_small() {
        let mut random = Random::new(7, Purpose::Values);
        let n_draws = 30_000;

        let n_zeros = (0..n_draws).filter(|_| random.below(3) == 0).count();

        assert!(n_zeros.abs_diff(n_draws / 3) < 300, "{n_zeros} of {n_draws}");
    }

    #[test]
    fn below_knows_more_than_64_bits() {
        let mut random = Random::new(7, Purpose::Values);
        let n = 10_u128.pow(38);

        let largest = (0..100).map(|_| random.below(n)).max();

        assert!(largest.is_some_and(|largest| largest > n / 2 && largest < n), "{largest:?}");
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let first = |purpose| Random::new(7, purpose).below(u128::MAX);

        assert_ne!(first(Purpose::Values), first(Purpose::PartitionKeys));
        assert_ne!(first(Purpose::Values), first(Purpose::Poison));
    }
}
