//! What the generator's users rely on.

#[cfg(test)]
mod error;
#[cfg(test)]
mod fitting;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod sensor;
#[cfg(test)]
mod template;
