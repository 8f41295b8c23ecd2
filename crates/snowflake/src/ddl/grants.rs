//! Who may do what.

use super::names::quoted_path;
use super::objects::Kind;
use crate::sql::quoted;

/// A right, or a role that is given to a role or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `USAGE`, `SELECT`, …
    pub privilege: &'static str,
    /// On what.
    pub on: Kind,
    /// Its name, unquoted, after what it stands in.
    pub path: Vec<String>,
    /// A role, or a user where a role is given to one.
    pub to: String,
    /// Whether `to` is a user.
    pub to_user: bool,
}

impl Grant {
    pub(super) fn privilege(privilege: &'static str, on: Kind, path: &[String], role: &str) -> Self {
        Self { privilege, on, path: path.to_vec(), to: role.to_owned(), to_user: false }
    }

    pub(super) fn role(role: &str, to: &str, to_user: bool) -> Self {
        Self { privilege: "USAGE", on: Kind::Role, path: vec![role.to_owned()], to: to.to_owned(), to_user }
    }

    /// The statement. Run again, it changes nothing.
    pub fn sql(&self) -> String {
        let (what, to) = (quoted_path(&self.path), quoted(&self.to));
        let grantee = if self.to_user { "USER" } else { "ROLE" };
        match self.on {
            Kind::Role => format!("GRANT ROLE {what} TO {grantee} {to}"),
            on => format!("GRANT {} ON {} {what} TO {grantee} {to}", self.privilege, on.sql()),
        }
    }

    /// In words for a person: `USAGE on warehouse LANDFALL_WH to LANDFALL_LOADER`.
    pub fn describe(&self) -> String {
        let (name, to) = (self.path.join("."), &self.to);
        match self.on {
            Kind::Role if self.to_user => format!("role {name} to user {to}"),
            Kind::Role => format!("role {name} to role {to}"),
            on => format!("{} on {} {name} to {to}", self.privilege, on.sql().to_lowercase()),
        }
    }
}
