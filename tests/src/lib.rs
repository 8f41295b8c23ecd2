//! What end-to-end tests stand on: the functions as processes, mutants of them, records as producers pack them, and the
//! storm.

pub mod function;
mod mutants;
pub mod packing;
pub mod pause;
pub mod storm;
