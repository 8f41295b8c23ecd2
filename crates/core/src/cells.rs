//! The cells of a row, packed.

use std::fmt::Write as _;

use compact_str::CompactString;

/// One value of a row. Scalars stay text from the producer to the warehouse: no number passes through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL NULL: absent, or JSON `null`.
    Null,
    /// A scalar, checked against the column's type.
    Text(&'a str),
    /// JSON for a VARIANT column.
    Json(&'a str),
}

impl<'a> Cell<'a> {
    /// The text of a scalar or of JSON; `None` for NULL.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Json(text) => Some(text),
        }
    }
}

/// The cells of a row, in one piece, and a small one in place: an event may hold hundreds of thousands of rows.
///
/// `n` is NULL; `t2:64` and `j2:[]` are a text and JSON with their lengths in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells(CompactString);

impl Cells {
    /// The cells, in the order of their columns.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// The cell at `index`, if there are as many.
    pub fn get(&self, index: usize) -> Option<Cell<'_>> {
        self.iter().nth(index)
    }
}

impl<'a> FromIterator<Cell<'a>> for Cells {
    fn from_iter<I: IntoIterator<Item = Cell<'a>>>(cells: I) -> Self {
        let mut packed = Packed::default();
        for cell in cells {
            packed.push(cell);
        }
        packed.finish()
    }
}

/// Cells that are being packed.
#[derive(Debug, Default)]
pub(crate) struct Packed(CompactString);

impl Packed {
    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        let (tag, text) = match cell {
            Cell::Null => {
                self.0.push('n');
                return;
            }
            Cell::Text(text) => ('t', text),
            Cell::Json(text) => ('j', text),
        };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{tag}{}:{text}", text.len());
    }

    pub(crate) fn finish(mut self) -> Cells {
        self.0.shrink_to_fit();
        Cells(self.0)
    }
}

/// The cells of a row, one after the other.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        let (tag, rest) = self.rest.split_at_checked(1)?;
        if tag == "n" {
            self.rest = rest;
            return Some(Cell::Null);
        }
        let (n_bytes, rest) = rest.split_once(':')?;
        let (text, rest) = rest.split_at_checked(n_bytes.parse().ok()?)?;
        self.rest = rest;
        Some(if tag == "t" { Cell::Text(text) } else { Cell::Json(text) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell((kind, text): &(u8, String)) -> Cell<'_> {
        match kind {
            0 => Cell::Null,
            1 => Cell::Text(text),
            _ => Cell::Json(text),
        }
    }

    proptest! {
        #[test]
        fn cells_are_what_was_packed(cells in prop::collection::vec((0..3_u8, any::<String>()), 0..6)) {
            let expected: Vec<Cell<'_>> = cells.iter().map(cell).collect();

            let packed: Cells = expected.iter().copied().collect();

            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), expected.clone());
            for index in 0..=expected.len() {
                prop_assert_eq!(packed.get(index), expected.get(index).copied());
            }
        }
    }
}
