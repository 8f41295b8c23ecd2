//! The service user's keys: one that is in use is never replaced.

use super::*;
use crate::key::{KeyPair, PublicKey};

/// Two, made once: it takes a while.
fn pair() -> [PublicKey; 2] {
    [(); 2].map(|()| KeyPair::generate().unwrap().public_key)
}

fn with(key: &PublicKey) -> Settings {
    Settings { public_key: Some(key.base64.clone()), ..settings() }
}

#[tokio::test]
async fn a_new_key_goes_beside_the_one_in_use_and_a_third_is_refused() {
    let (memory, pipeline, [first, second]) = (Memory::default(), default_pipeline(), pair());
    applied(&memory, &pipeline, &Settings { public_key: None, ..settings() }).await;

    let made = [applied(&memory, &pipeline, &with(&first)).await, applied(&memory, &pipeline, &with(&second)).await];
    let refused = planned(&memory, &pipeline, &settings()).await.unwrap_err();

    assert_eq!(made[0], [format!("+ RSA_PUBLIC_KEY {} of user LANDFALL_LOADER", first.fingerprint)]);
    assert_eq!(made[1], [format!("+ RSA_PUBLIC_KEY_2 {} of user LANDFALL_LOADER", second.fingerprint)]);
    assert_eq!(applied(&memory, &pipeline, &with(&first)).await, [] as [&str; 0]);
    let said =
        refused.to_string().replace(&first.fingerprint, "SHA256:first").replace(&second.fingerprint, "SHA256:second");
    let third = PublicKey::parse(PUBLIC_KEY).unwrap().fingerprint;
    insta::assert_snapshot!(said.replace(&third, "SHA256:third"), @r#"
    failed to plan: 1 change is refused, and nothing has been changed

      the user LANDFALL_LOADER has two public keys, and neither is SHA256:third
      By hand:
        -- One may be in use: landfall snowflake keygen --rotate shows the fingerprint of the key in the secret.
        -- Take away the other one, and that alone:
        -- SHA256:first: ALTER USER "LANDFALL_LOADER" UNSET RSA_PUBLIC_KEY;
        -- SHA256:second: ALTER USER "LANDFALL_LOADER" UNSET RSA_PUBLIC_KEY_2;
    "#);
}

#[tokio::test]
async fn what_is_to_be_run_by_hand_for_a_key_does_nothing_as_it_stands() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    applied(&memory, &pipeline, &settings()).await;
    let rows: [&[&str]; 2] = [&["RSA_PUBLIC_KEY_FP", "SHA256:a"], &["RSA_PUBLIC_KEY_2_FP", "SHA256:b"]];
    memory.answer("DESC USER", &["property", "value"], &rows);

    let refused = planned(&memory, &pipeline, &settings()).await.unwrap_err();

    assert!(refused.reasons[0].1.iter().all(|line| line.starts_with("--")), "{refused}");
}

#[tokio::test]
async fn a_key_is_seen_whatever_its_column_is_called() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    applied(&memory, &pipeline, &settings()).await;
    let ours = PublicKey::parse(PUBLIC_KEY).unwrap().fingerprint;
    let rows: [&[&str]; 2] = [&["RSA_PUBLIC_KEY_FP", "SHA256:a"], &["RSA_PUBLIC_KEY_2_FP", &ours]];
    for header in ["value", "property_value", "VALUE"] {
        memory.answer("DESC USER", &["property", header], &rows);

        let keys = public_keys(&memory, "LANDFALL_LOADER").await.unwrap();

        assert_eq!(keys, [Some("SHA256:a".to_owned()), Some(ours.clone())], "{header}");
        assert_eq!(planned(&memory, &pipeline, &settings()).await, Ok(Plan::default()), "{header}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_seen_is_not_taken_for_none() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    applied(&memory, &pipeline, &settings()).await;
    let both: &[&[&str]] = &[&["RSA_PUBLIC_KEY_FP", "SHA256:a"], &["RSA_PUBLIC_KEY_2_FP", "null"]];
    for (header, rows, missing) in [
        ("wert", both, "RSA_PUBLIC_KEY_FP"),
        ("value", &both[..1], "RSA_PUBLIC_KEY_2_FP"),
        ("value", &both[1..], "RSA_PUBLIC_KEY_FP"),
        ("value", &[], "RSA_PUBLIC_KEY_FP"),
    ] {
        memory.answer("DESC USER", &["property", header], rows);

        let error = Found::read(&memory, &settings(), &pipeline).await.unwrap_err();

        let what = format!("failed to see the public keys of user LANDFALL_LOADER: DESC USER does not show {missing}");
        assert_eq!(error.what, what);
    }
}

#[tokio::test]
async fn whether_a_user_has_any_key_is_known() {
    let (memory, pipeline) = (Memory::default(), default_pipeline());
    let without = Settings { public_key: None, ..settings() };
    let found = async || Found::read(&memory, &without, &pipeline).await.unwrap();

    assert!(!found().await.has_user_without_key(&without));
    applied(&memory, &pipeline, &without).await;
    assert!(found().await.has_user_without_key(&without));
    assert!(!handshake(&memory, &without, &pipeline).await.unwrap().has_key);
    applied(&memory, &pipeline, &settings()).await;
    assert!(!found().await.has_user_without_key(&without));
    assert!(handshake(&memory, &without, &pipeline).await.unwrap().has_key);
}
