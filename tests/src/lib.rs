//! What end-to-end tests stand on: the functions as processes, mutants of them, and the storm.

pub mod function;
mod mutants;
pub mod storm;
