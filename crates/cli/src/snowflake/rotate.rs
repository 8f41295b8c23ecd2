//! `landfall snowflake keygen --rotate`: a new key beside the one in use, which is never touched.
//!
//! The order makes it safe to stop anywhere, and to do it twice: the new public key goes into the slot that the key of
//! the secret is not in, the new private key logs in, and only then the secret changes.

use std::process::ExitCode;
use std::time::Duration;

use landfall_snowflake::ddl::Settings;
use landfall_snowflake::key::{KeyPair, PublicKey, Slot, set_public_key, unset_public_key};
use landfall_snowflake::provision::{Account as _, AccountError, public_keys};
use landfall_snowflake::{Config, Credentials, Session};

use super::keygen::{KeygenOptions, stored};
use super::outputs::Outputs;
use super::{GIVE_YES, Secrets, administrator, apply, confirmed};
use crate::console::{self, program};
use crate::doctor::log_in::{self, Obstacle};
use crate::failure::Failure;
use crate::pipeline_file;

/// Fingerprints of the user's two keys.
type Keys = [Option<String>; 2];

/// What is known of the key that the secret holds, which is the one that functions log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum InUse {
    /// Its fingerprint.
    Key(String),
    /// There is none.
    Nothing,
    /// The secret holds something that is no key: functions may have read what was there before.
    Unreadable(String),
}

impl InUse {
    fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Key(fingerprint) => Some(fingerprint),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }
}

pub(super) async fn run(
    options: &KeygenOptions,
    user: &str,
    outputs: &Outputs,
    (secrets, id): (&Secrets, &str),
) -> anyhow::Result<ExitCode> {
    let get = apply::environment(outputs)?;
    let in_use = in_use(secrets).await?;
    console::print_note(&match &in_use {
        InUse::Key(key) => format!("key in use  {key} (that of {id})"),
        InUse::Nothing => format!("key in use  none: {id} holds nothing"),
        InUse::Unreadable(why) => format!("key in use  not known: {why} ({id})"),
    });
    let administrator = match get("SNOWFLAKE_ADMIN_USER") {
        Some(_) => {
            let pipeline = pipeline_file::load(None)?.pipeline;
            let session = administrator::session(&get, &pipeline, &mut Settings::default())?;
            let keys = public_keys(&session, user).await.map_err(failure)?;
            Some((session, keys))
        }
        None => None,
    };
    let keys = administrator.as_ref().map(|(_, keys)| keys);
    let slot = slot(user, keys, in_use.fingerprint(), options.slot.map(Slot::from))?;
    // Now, and not when a public key is set already.
    account(&get)?;
    if options.yes && administrator.is_none() {
        let what = "failed to set the new public key: nobody is here to do it, and --yes does not wait".to_owned();
        let remedy = "set SNOWFLAKE_ADMIN_USER and its secret, as for landfall snowflake apply".to_owned();
        return Err(Failure { what, remedy }.into());
    }
    if let Some(keys) = keys {
        replaced(user, keys, in_use.fingerprint(), slot, options.yes)?;
    }
    let pair = KeyPair::generate()?;
    let alter = set_public_key(user, slot, &pair.public_key);
    console::print(&format!("{alter};"))?;
    let (question, otherwise) = if administrator.is_some() {
        console::print_note("The statement above is going to be run. The secret changes after that.");
        ("Go on?", GIVE_YES)
    } else {
        if let Some(key) = in_use.fingerprint() {
            let property = slot.property();
            console::print_note(&format!("Stop if DESC USER shows {key} as {property}_FP: that is the key in use."));
        } else {
            let property = slot.property();
            console::print_note(&format!(
                "Stop if DESC USER shows a {property}_FP that anything logs in with: which key is in use is not known."
            ));
        }
        console::print_note("As an administrator, run the statement above now. The secret changes after that.");
        ("Has it been run?", RUN_AT_A_TERMINAL)
    };
    if !confirmed(question, options.yes, otherwise)? {
        console::print_note(&format!(
            "the secret has not changed, and the new key is gone: if {} was set to it, nothing logs in with that",
            slot.property()
        ));
        return Ok(ExitCode::FAILURE);
    }
    if let Some((session, _)) = &administrator {
        session.run(&alter, &[]).await.map_err(failure)?;
    }
    log_in(&get, user, &pair, slot).await?;
    secrets.put(&pair.private_key_pem).await?;
    stored(options, id, &pair)?;
    // The other one, as far as it is known to hold a key.
    let old = slot.other();
    let fingerprint = keys.map_or(in_use.fingerprint(), |keys| at(keys, old));
    if let Some(fingerprint) = fingerprint {
        console::print_note(&format!(
            "Next: {} snowflake verify. A function whose log-in is refused reads the secret once more, so the old key may \
             go at once ({fingerprint}):\n{};",
            program(),
            unset_public_key(user, old)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

const RUN_AT_A_TERMINAL: &str = "run it at a terminal, where you can say that the statement has been run; or set \
                                 SNOWFLAKE_ADMIN_USER and its secret, and give --yes: then it is run from here";

async fn in_use(secrets: &Secrets) -> anyhow::Result<InUse> {
    if !secrets.is_set().await? {
        return Ok(InUse::Nothing);
    }
    Ok(match PublicKey::of_private(&secrets.get().await?) {
        Ok(key) => InUse::Key(key.fingerprint),
        Err(error) => InUse::Unreadable(error.to_string()),
    })
}

/// Says which key goes, before anybody is asked. One that may be in use goes only when somebody says so.
fn replaced(user: &str, keys: &Keys, in_use: Option<&str>, slot: Slot, yes: bool) -> anyhow::Result<()> {
    let Some(fingerprint) = at(keys, slot) else { return Ok(()) };
    let property = slot.property();
    let is_told_apart = in_use.is_some_and(|key| at(keys, slot.other()) == Some(key));
    if yes && !is_told_apart {
        let what = format!(
            "failed to replace {property} of {user}, {fingerprint}: it may be in use, for neither of the user's keys is known \
             to be that of the secret"
        );
        let remedy = format!(
            "leave --yes out and answer at a terminal; or, once nothing logs in with it, {}, and then this without --slot",
            unset_public_key(user, slot)
        );
        return Err(Failure { what, remedy }.into());
    }
    let caution = if is_told_apart { "" } else { ", which may be in use: say yes only if nothing logs in with it" };
    console::print_note(&format!("replaces    {fingerprint} ({property}){caution}"));
    Ok(())
}

/// Where the new key goes: never into the slot of the key in use.
fn slot(user: &str, keys: Option<&Keys>, in_use: Option<&str>, asked: Option<Slot>) -> anyhow::Result<Slot> {
    let Some(keys) = keys else {
        let known = in_use.map(|key| format!(" (not that of {key})")).unwrap_or_default();
        return asked.ok_or_else(|| {
            let what = "failed to choose one of the user's two public keys: nobody is here to look at them".to_owned();
            let remedy = format!(
                "set SNOWFLAKE_ADMIN_USER and its secret, as for landfall snowflake apply; or see DESC USER \"{user}\" and \
                 give --slot 1 (RSA_PUBLIC_KEY) or --slot 2 (RSA_PUBLIC_KEY_2), the one to replace{known}"
            );
            Failure { what, remedy }.into()
        });
    };
    let used = [Slot::First, Slot::Second].into_iter().find(|slot| in_use.is_some() && at(keys, *slot) == in_use);
    let free = [Slot::First, Slot::Second].into_iter().find(|slot| at(keys, *slot).is_none());
    let failure = |what: String, remedy: &str| Err(Failure { what, remedy: remedy.to_owned() }.into());
    match (asked, used, free) {
        (Some(asked), Some(used), _) if asked == used => failure(
            format!("failed to replace {}: it is the key in use", asked.property()),
            "leave --slot out: the new key goes beside it",
        ),
        (Some(asked), ..) => Ok(asked),
        (None, Some(used), _) => Ok(used.other()),
        (None, None, Some(free)) => Ok(free),
        (None, None, None) => {
            let [first, second] = keys.each_ref().map(|key| key.as_deref().unwrap_or_default());
            failure(
                format!(
                    "failed to choose: {user} has the public keys {first} and {second}, and neither is that of the secret"
                ),
                "check --user and --secret; then --slot 1 or --slot 2, the one that nothing logs in with",
            )
        }
    }
}

fn at(keys: &Keys, slot: Slot) -> Option<&str> {
    match slot {
        Slot::First => keys[0].as_deref(),
        Slot::Second => keys[1].as_deref(),
    }
}

fn account(get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<String> {
    get("SNOWFLAKE_ACCOUNT").ok_or_else(|| {
        let what = "failed to find the account: the new key has to log in before the secret changes".to_owned();
        Failure { what, remedy: "give --terraform DIR, or set SNOWFLAKE_ACCOUNT=<organization>-<account>".to_owned() }
            .into()
    })
}

/// Tries the new key, so that a secret never holds one that Snowflake does not know.
async fn log_in(get: &dyn Fn(&str) -> Option<String>, user: &str, pair: &KeyPair, slot: Slot) -> anyhow::Result<()> {
    let account = account(get)?;
    let session = Session::new(Config {
        account: account.clone(),
        user: user.to_owned(),
        credentials: Credentials::PrivateKey(pair.private_key_pem.clone()),
        base_url: get("SNOWFLAKE_URL"),
        role: None,
        warehouse: None,
        database: None,
        schema: None,
        query_tag: "landfall/keygen".to_owned(),
        statement_timeout: Duration::from_secs(60),
    })?;
    let Err(error) = session.log_in().await else { return Ok(()) };
    let unused = format!("the key just set in {} is unused", slot.property());
    let (said, remedy) = match log_in::obstacle(&error, &account, user) {
        Some(Obstacle { what, remedy, is_of_address: true }) => {
            (what, format!("rotate from an address that is allowed, or {remedy}; {unused}"))
        }
        Some(Obstacle { what, remedy, .. }) => (what, format!("{remedy}; then run this again: {unused}")),
        // The one that a log-in has of its own is about the key in use.
        None if error.is_log_in_refused() || error.http_status() == Some(401) => {
            let remedy = format!(
                "see whether the statement above was run, for the user {user}, and whether that is disabled: DESC USER \
                 \"{user}\"; then run this again"
            );
            (landfall_core::chain(&error), remedy)
        }
        None => {
            let remedy = error.remedy().unwrap_or("try again; status.snowflake.com may know more");
            (landfall_core::chain(&error), format!("{remedy}; then run this again: {unused}"))
        }
    };
    Err(Failure { what: format!("failed to try the new key, so the secret has not changed: {said}"), remedy }.into())
}

fn failure(error: AccountError) -> anyhow::Error {
    let remedy = error.remedy.unwrap_or_else(|| {
        "check that SNOWFLAKE_ADMIN_USER may use the role ACCOUNTADMIN (SNOWFLAKE_ADMIN_ROLE); the secret has not changed"
            .to_owned()
    });
    Failure { what: error.what, remedy }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: [&str; 2], in_use: &str, asked: Option<Slot>, expected: Result<Slot, &str>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let chosen = slot("U", Some(&keys.map(some)), some(in_use).as_deref(), asked);
        let chosen = chosen.map_err(|error| error.to_string());
        match expected {
            Ok(slot) => assert_eq!(chosen, Ok(slot)),
            Err(what) => assert!(chosen.as_ref().is_err_and(|error| error.contains(what)), "{chosen:?}"),
        }
    }

    #[test]
    fn a_new_key_never_goes_where_the_one_in_use_is() {
        let (first, second) = (Slot::First, Slot::Second);
        check(["a", ""], "a", None, Ok(second));
        check(["a", "b"], "a", None, Ok(second));
        check(["a", "b"], "b", None, Ok(first));
        check(["", "b"], "b", None, Ok(first));
        check(["a", "b"], "b", Some(second), Err("failed to replace RSA_PUBLIC_KEY_2: it is the key in use"));
        check(["a", "b"], "b", Some(first), Ok(first));
    }

    #[test]
    fn where_no_key_is_in_use_a_free_slot_is_taken_and_no_other_by_itself() {
        check(["", ""], "", None, Ok(Slot::First));
        check(["a", ""], "", None, Ok(Slot::Second));
        check(["a", "b"], "", None, Err("U has the public keys a and b, and neither is that of the secret"));
        check(["a", "b"], "c", None, Err("neither is that of the secret"));
        check(["a", "b"], "c", Some(Slot::First), Ok(Slot::First));
    }

    #[test]
    fn a_key_that_may_be_in_use_goes_only_when_somebody_says_so() {
        let keys = ["a", "b"].map(|key| Some(key.to_owned()));
        let replaced = |keys: &Keys, in_use, yes| replaced("U", keys, in_use, Slot::First, yes);
        assert!(replaced(&keys, Some("b"), true).is_ok());
        assert!(replaced(&[None, keys[1].clone()], None, true).is_ok());
        for in_use in [None, Some("c")] {
            let error = replaced(&keys, in_use, true).unwrap_err();
            assert!(error.to_string().contains("RSA_PUBLIC_KEY of U, a: it may be in use"), "{error}");
            assert!(replaced(&keys, in_use, false).is_ok());
        }
    }

    #[tokio::test]
    async fn a_new_key_that_finds_no_account_is_told_so_and_not_of_its_statement() {
        let pair = KeyPair::generate().unwrap();
        let remedy = async |account: &str, url: Option<&str>| {
            let get = |name: &str| match name {
                "SNOWFLAKE_ACCOUNT" => Some(account.to_owned()),
                "SNOWFLAKE_URL" => url.map(str::to_owned),
                _ => None,
            };
            crate::failure::remedy(&log_in(&get, "U", &pair, Slot::Second).await.unwrap_err()).unwrap()
        };

        // Longer than a part of a name can be, so that no resolver is needed to say no.
        let unknown = remedy(&"a".repeat(64), None).await;
        let silent = remedy("acme-prod", Some("http://127.0.0.1:1")).await;

        assert!(unknown.starts_with("set SNOWFLAKE_ACCOUNT to <organization>-<account>"), "{unknown}");
        for remedy in [unknown, silent] {
            assert!(
                remedy.ends_with("then run this again: the key just set in RSA_PUBLIC_KEY_2 is unused"),
                "{remedy}"
            );
            assert!(!remedy.contains("statement above"), "{remedy}");
        }
    }

    #[test]
    fn without_an_administrator_somebody_has_to_say_which() {
        assert_eq!(slot("U", None, Some("a"), Some(Slot::Second)).unwrap(), Slot::Second);
        let error = slot("U", None, Some("a"), None).unwrap_err();
        let remedy = crate::failure::remedy(&error).unwrap();
        assert!(remedy.contains("DESC USER \"U\"") && remedy.contains("(not that of a)"), "{remedy}");
    }
}
