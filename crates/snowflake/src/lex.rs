//! SQL in pieces: just enough to tell a semicolon or an option from the same characters in quotes.

/// A piece of SQL. Put together, the pieces are the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// White space.
    Space(&'a str),
    /// `-- …` up to the end of its line, or `/* … */`.
    Comment(&'a str),
    /// `'…'`, `"…"` or `$$…$$`, quotes included.
    Quoted(&'a str),
    /// Letters, digits, underscores.
    Word(&'a str),
    /// Any other character.
    Mark(&'a str),
}

impl<'a> Piece<'a> {
    pub(crate) fn text(self) -> &'a str {
        let (Self::Space(text) | Self::Comment(text) | Self::Quoted(text) | Self::Word(text) | Self::Mark(text)) = self;
        text
    }

    pub(crate) fn is_word(self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

pub(crate) fn pieces<'a>(sql: &'a str) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length): (fn(&'a str) -> Piece<'a>, usize) = if first.is_whitespace() {
            (Piece::Space, prefix(rest, char::is_whitespace))
        } else if is_word(first) {
            (Piece::Word, prefix(rest, is_word))
        } else if rest.starts_with("--") {
            (Piece::Comment, prefix(rest, |c| c != '\n'))
        } else if rest.starts_with("/*") {
            (Piece::Comment, through(rest, 2, "*/"))
        } else if rest.starts_with("$$") {
            (Piece::Quoted, through(rest, 2, "$$"))
        } else if first == '\'' || first == '"' {
            (Piece::Quoted, quoted(rest, first))
        } else {
            (Piece::Mark, first.len_utf8())
        };
        let (piece, after) = rest.split_at(length);
        pieces.push(kind(piece));
        rest = after;
    }
    pieces
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn prefix(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn through(text: &str, from: usize, end: &str) -> usize {
    text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
}

/// How long the quoted text is: a doubled quote belongs to it, and in single quotes an escaped one too.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '\'' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}
