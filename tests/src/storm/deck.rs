//! Chance, as a deck of cards: what is in it comes, in an order that the seed determines.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Where chance is needed. Each has random numbers of its own, so that none depends on how fast another is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Site {
    S3,
    Snowflake,
    Lambda,
    Mapping,
    Snowpipe,
    Feed,
    Course,
}

/// Random numbers of one site.
#[derive(Debug, Clone)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64, site: Site) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(site as u64);
        Self(random)
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The bias is one in 2^32, and nothing here is a matter of statistics.
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }
}

/// A deck: dealt to its end, then shuffled again. So each card comes once in every round, however short the run is.
#[derive(Debug)]
pub(crate) struct Deck<T> {
    cards: Vec<Option<T>>,
    n_dealt: usize,
    pub(crate) random: Random,
}

impl<T: Copy> Deck<T> {
    /// `cards`, each as often as it says, and `n_blank` that do nothing. Without cards, nothing ever happens.
    pub(crate) fn new(random: Random, cards: &[(T, usize)], n_blank: usize) -> Self {
        let mut all: Vec<Option<T>> = cards.iter().flat_map(|(card, n)| std::iter::repeat_n(Some(*card), *n)).collect();
        all.resize(all.len() + n_blank, None);
        let n_dealt = all.len();
        Self { cards: all, n_dealt, random }
    }

    pub(crate) fn deal(&mut self) -> Option<T> {
        if self.n_dealt == self.cards.len() {
            self.n_dealt = 0;
            for i in (1..self.cards.len()).rev() {
                let j = self.random.below(i + 1);
                self.cards.swap(i, j);
            }
        }
        let card = self.cards.get(self.n_dealt).copied().flatten();
        self.n_dealt += usize::from(!self.cards.is_empty());
        card
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_comes_once_a_round_and_the_seed_decides_when() {
        let deal = |seed| {
            let mut deck = Deck::new(Random::new(seed, Site::S3), &[('a', 1), ('b', 2)], 5);
            (0..16).map(|_| deck.deal()).collect::<Vec<_>>()
        };
        for round in deal(7).chunks(8) {
            let n = |card| round.iter().filter(|dealt| **dealt == card).count();
            assert_eq!((n(Some('a')), n(Some('b')), n(None)), (1, 2, 5));
        }
        assert_eq!(deal(7), deal(7));
        assert_ne!(deal(7), deal(8));
    }
}
