//! Why a log-in is refused. Snowflake says as little as it can, so this looks at what else is known.

use landfall_snowflake::SessionError;
use landfall_snowflake::key::{PublicKey, Slot, set_public_key};
use landfall_snowflake::sql::{literal, quoted};

/// What is known beside the answer.
pub(super) struct Evidence<'a> {
    pub(super) account: &'a str,
    pub(super) user: &'a str,
    pub(super) key: &'a PublicKey,
    /// The server's clock less this machine's, in seconds, where that is too much.
    pub(super) skew: Option<i64>,
}

/// What keeps anybody out, whatever the key.
pub(crate) struct Obstacle {
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
    /// Whether it is this machine's address: another may get in.
    pub(crate) is_of_address: bool,
}

/// What is really wrong, and what to do.
pub(super) fn diagnosed(error: &SessionError, evidence: &Evidence<'_>) -> (String, String) {
    let Evidence { account, user, key, skew } = evidence;
    if let Some(obstacle) = obstacle(error, account, user) {
        return (obstacle.what, obstacle.remedy);
    }
    let said = error.message().unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| said.to_lowercase().contains(word));
    let quoted_user = quoted(user);
    if has(&["incorrect username"]) {
        return (
            format!("there is no user {user} in {account}, or it has no public key"),
            format!("landfall snowflake apply makes it; {}", give_key(user, key)),
        );
    }
    if has(&["jwt", "token"]) || error.http_status() == Some(401) {
        if let Some(skew) = skew {
            return (
                format!("the token is signed {} s from the account's time", skew.abs()),
                "set this machine's clock (NTP)".to_owned(),
            );
        }
        let details =
            id(said).map(|id| format!("; SELECT SYSTEM$GET_LOGIN_FAILURE_DETAILS({}) says which", literal(id)));
        return (
            format!("{account} knows no user {user} with the key {}", key.fingerprint),
            format!(
                "as an administrator, DESC USER {quoted_user}: without such a user, landfall snowflake apply; where neither \
                 RSA_PUBLIC_KEY_FP nor RSA_PUBLIC_KEY_2_FP is that, {}{}",
                give_key(user, key),
                details.unwrap_or_default()
            ),
        );
    }
    if has(&["role"]) {
        return (said.to_owned(), format!("check SNOWFLAKE_ROLE, and GRANT ROLE … TO USER {quoted_user}"));
    }
    let remedy = error.remedy().unwrap_or("try again; status.snowflake.com may know more");
    (landfall_core::chain(error), remedy.to_owned())
}

/// What keeps anybody out who has the right key; `None` where the key may be what is wrong.
pub(crate) fn obstacle(error: &SessionError, account: &str, user: &str) -> Option<Obstacle> {
    let said = error.message().unwrap_or_default();
    let lower = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let quoted_user = quoted(user);
    let obstacle = |what: String, remedy: String| Some(Obstacle { what, remedy, is_of_address: false });
    if error.is_unknown_host() || matches!(error.http_status(), Some(403 | 404)) {
        let remedy = "set SNOWFLAKE_ACCOUNT to <organization>-<account>, as in SELECT CURRENT_ORGANIZATION_NAME(), \
                      CURRENT_ACCOUNT_NAME()";
        return obstacle(format!("there is no account {account}"), remedy.to_owned());
    }
    if has(&["ip address", "network policy", "not allowed to access"]) {
        return Some(Obstacle {
            what: format!("a network policy keeps this machine out: {said}"),
            remedy: "allow this address in the network policy of the account or the user: SHOW NETWORK POLICIES"
                .to_owned(),
            is_of_address: true,
        });
    }
    // Not "blocked".
    if lower.split(|c: char| !c.is_alphanumeric()).any(|word| word == "locked") {
        return obstacle(
            format!("the user {user} is locked, after too many log-ins that were refused"),
            format!("wait a quarter of an hour, or ALTER USER {quoted_user} SET MINS_TO_UNLOCK = 0"),
        );
    }
    if has(&["disabled"]) {
        let remedy = format!("ALTER USER {quoted_user} SET DISABLED = FALSE");
        return obstacle(format!("the user {user} is disabled"), remedy);
    }
    None
}

/// Either slot may hold a key that something else logs in with.
fn give_key(user: &str, key: &PublicKey) -> String {
    let (first, second) = (Slot::First.property(), Slot::Second.property());
    format!("{} (with {second} instead, if {first} holds another key)", set_public_key(user, Slot::First, key))
}

/// The id of the failure, which Snowflake puts at its end: `[0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]`.
fn id(said: &str) -> Option<&str> {
    let (_, rest) = said.rsplit_once('[')?;
    let id = rest.split(']').next()?;
    let is_id = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_refusal_is_found_and_nothing_else_is_taken_for_one() {
        let said = "JWT token is invalid. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]";
        assert_eq!(id(said), Some("0ce9eb56-821d-4ca9-a774-04ae89a0cf5a"));
        for said in ["JWT token is invalid.", "x [y]", "'); DROP [", "[0ce9eb56-821d-4ca9-a774-04ae89a0cf5a'"] {
            assert_eq!(id(said), None, "{said}");
        }
    }
}
