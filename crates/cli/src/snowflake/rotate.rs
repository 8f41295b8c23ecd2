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

use super::keygen::{KeygenOptions, Place, stored};
use super::outputs::Outputs;
use super::{administrator, apply, confirmed};
use crate::console::{self, program};
use crate::failure::Failure;
use crate::pipeline_file;

/// Fingerprints of the user's two keys.
type Keys = [Option<String>; 2];

pub(super) async fn run(
    options: &KeygenOptions,
    user: &str,
    outputs: &Outputs,
    place: &Place,
) -> anyhow::Result<ExitCode> {
    let get = apply::environment(outputs)?;
    let in_use = in_use(place).await?;
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
    let slot = slot(user, keys, in_use.as_deref(), options.slot.map(Slot::from))?;
    if let Place::Secret(..) = place {
        // Now, and not when a public key is set already.
        account(&get)?;
        if options.yes && administrator.is_none() {
            let what = "failed to set the new public key: nobody is here to do it, and --yes does not wait".to_owned();
            let remedy = "set SNOWFLAKE_ADMIN_USER and its secret, as for landfall snowflake apply".to_owned();
            return Err(Failure { what, remedy }.into());
        }
    }
    let pair = KeyPair::generate()?;
    let alter = set_public_key(user, slot, &pair.public_key);
    console::print(&format!("{alter};"))?;
    if let Place::Secret(..) = place {
        let question = if administrator.is_some() {
            console::print_note("The statement above is going to be run. The secret changes after that.");
            "Go on?"
        } else {
            if let Some(key) = &in_use {
                let property = slot.property();
                console::print_note(&format!(
                    "Stop if DESC USER shows {key} as {property}_FP: that is the key in use."
                ));
            }
            console::print_note("As an administrator, run the statement above now. The secret changes after that.");
            "Has it been run?"
        };
        if !confirmed(question, options.yes)? {
            console::print_note("nothing has been changed: the new key is gone");
            return Ok(ExitCode::FAILURE);
        }
        if let Some((session, _)) = &administrator {
            session.run(&alter, &[]).await.map_err(failure)?;
        }
        log_in(&get, user, &pair).await?;
    }
    place.store(&pair.private_key_pem).await?;
    stored(options, place, &pair)?;
    // The other one, as far as it is known to hold a key.
    let old = slot.other();
    let fingerprint = keys.map_or(in_use.clone(), |keys| at(keys, old).map(str::to_owned));
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

/// The fingerprint of the key that the secret holds, which is the one that functions log in with.
async fn in_use(place: &Place) -> anyhow::Result<Option<String>> {
    let Place::Secret(secrets, id) = place else { return Ok(None) };
    let key = if secrets.is_set().await? { PublicKey::of_private(&secrets.get().await?).ok() } else { None };
    match key {
        Some(key) => {
            console::print_note(&format!("key in use  {} (that of {id})", key.fingerprint));
            Ok(Some(key.fingerprint))
        }
        None => {
            console::print_note(&format!("key in use  none: {id} holds no private key"));
            Ok(None)
        }
    }
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
async fn log_in(get: &dyn Fn(&str) -> Option<String>, user: &str, pair: &KeyPair) -> anyhow::Result<()> {
    let session = Session::new(Config {
        account: account(get)?,
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
    session.log_in().await.map_err(|error| {
        let what =
            format!("failed to try the new key, so the secret has not changed: {}", landfall_core::chain(&error));
        let remedy = format!(
            "see whether the statement above was run, for the user {user}, and whether that is disabled: DESC USER \
             \"{user}\"; then run this again"
        );
        Failure { what, remedy }.into()
    })
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
    fn without_an_administrator_somebody_has_to_say_which() {
        assert_eq!(slot("U", None, Some("a"), Some(Slot::Second)).unwrap(), Slot::Second);
        let error = slot("U", None, Some("a"), None).unwrap_err();
        let remedy = crate::failure::remedy(&error).unwrap();
        assert!(remedy.contains("DESC USER \"U\"") && remedy.contains("(not that of a)"), "{remedy}");
    }
}
