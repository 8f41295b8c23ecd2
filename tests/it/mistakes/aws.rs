//! No credentials, no region, no Lambda: what a function notices of AWS before its first request.

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::{AWS, ORCHESTRATOR, UPSERT, Variable, cold_start, folder, server};

const SECRET: [Variable<'_>; 3] = [UPSERT[0], UPSERT[1], ("SNOWFLAKE_PRIVATE_KEY_SECRET", "landfall/snowflake-key")];

#[tokio::test]
async fn without_region_and_credentials_both_functions_say_what_to_set() {
    let folder = folder();
    for (name, variables) in [("orchestrator", &ORCHESTRATOR[..]), ("upsert", &SECRET)] {
        let message = cold_start(folder.path(), name, &[variables]).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(message, @r#"
            failed to read the configuration
              AWS_REGION is not set, and no profile names a region; set it to the region of the bucket and of the functions, for example AWS_REGION=us-east-1
              AWS_ACCESS_KEY_ID gives no credentials, nor does a profile or a role; set it to an access key and AWS_SECRET_ACCESS_KEY to its secret, or AWS_PROFILE to a profile (where that signs in through a browser or a program: eval "$(aws configure export-credentials --format env)"); in Lambda the function's role gives them, and for the services of landfall dev take those of dev.env, for example AWS_ACCESS_KEY_ID=landfall
            "#);
        }
    }
}

#[tokio::test]
async fn without_credentials_the_message_is_about_them_alone() {
    let folder = folder();

    let message = cold_start(folder.path(), "orchestrator", &[&ORCHESTRATOR, &AWS[2..]]).await;

    assert!(message.contains("AWS_ACCESS_KEY_ID gives no credentials") && !message.contains("AWS_REGION"), "{message}");
}

#[tokio::test]
async fn without_a_region_the_message_is_about_it_alone() {
    let folder = folder();

    let message = cold_start(folder.path(), "orchestrator", &[&ORCHESTRATOR, &AWS[..2]]).await;

    insta::assert_snapshot!(message, @r"
    failed to read the configuration
      AWS_REGION is not set, and no profile names a region; set it to the region of the bucket and of the functions, for example AWS_REGION=us-east-1
    ");
}

#[tokio::test]
async fn a_profile_that_signs_in_elsewhere_says_how_to_take_its_credentials() {
    let folder = folder();
    std::fs::create_dir(folder.path().join(".aws")).unwrap();
    let config = "[profile acme]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-east-1\n\
        [sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = us-east-1\n";
    std::fs::write(folder.path().join(".aws/config"), config).unwrap();

    let message = cold_start(folder.path(), "orchestrator", &[&ORCHESTRATOR, &[("AWS_PROFILE", "acme")]]).await;

    insta::assert_snapshot!(message, @r#"
    failed to read the configuration
      AWS_ACCESS_KEY_ID gives no credentials, nor does a profile or a role (the profile signs in through a browser or a program); set it to an access key and AWS_SECRET_ACCESS_KEY to its secret, or AWS_PROFILE to a profile (where that signs in through a browser or a program: eval "$(aws configure export-credentials --format env)"); in Lambda the function's role gives them, and for the services of landfall dev take those of dev.env, for example AWS_ACCESS_KEY_ID=landfall
    "#);
}

#[tokio::test]
async fn a_function_that_is_started_by_hand_says_where_it_runs() {
    let folder = folder();

    let orchestrator = cold_start(folder.path(), "orchestrator", &[&ORCHESTRATOR, &AWS]).await;
    // Nobody listens on port 9 (discard) of this machine, which may be different at the first request.
    let upsert = cold_start(folder.path(), "upsert", &[&UPSERT, &[("SNOWFLAKE_URL", "http://127.0.0.1:9")]]).await;

    insta::assert_snapshot!(orchestrator, @"failed to find Lambda: AWS_LAMBDA_RUNTIME_API is not set; deploy the function, or start it on this machine with landfall dev, or with cargo lambda watch --env-file dev.env");
    assert_eq!(upsert, orchestrator);
}

#[tokio::test]
async fn a_pipeline_that_is_not_in_the_functions_folder_is_named() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("pipeline.toml")).unwrap();
    for (name, variables) in [("orchestrator", &ORCHESTRATOR[..]), ("upsert", &UPSERT)] {
        let message = cold_start(folder.path(), name, &[variables]).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(message, @"failed to read pipeline.toml; set PIPELINE_FILE to the path of pipeline.toml; in Lambda it is in the function's zip, for example PIPELINE_FILE=/var/task/pipeline.toml: No such file or directory (os error 2)");
        }
    }
}

#[tokio::test]
async fn names_that_are_urls_or_arns_are_named_all_at_once() {
    let folder = folder();

    let names =
        [("LANDING_BUCKET", "s3://acme-landing-zone/raw"), ("UPSERT_FUNCTION", "https://acme.lambda-url.on.aws")];
    let orchestrator = cold_start(folder.path(), "orchestrator", &[&names]).await;
    let names = [("SNOWFLAKE_ACCOUNT", "https://acme-prod.snowflakecomputing.com")];
    let upsert = cold_start(folder.path(), "upsert", &[&UPSERT, &names]).await;

    insta::assert_snapshot!(orchestrator, @r#"
    failed to read the configuration
      LANDING_BUCKET is "s3://acme-landing-zone/raw", not just a bucket's name: write acme-landing-zone, and the prefix into pipeline.toml, as [landing] prefix; set it to the bucket of the landing zone and of the dead letters, for example LANDING_BUCKET=acme-landing-zone
      UPSERT_FUNCTION is "https://acme.lambda-url.on.aws", a URL; set it to the name or ARN of the upsert function (not needed with UPSERT=off), for example UPSERT_FUNCTION=landfall-upsert
    "#);
    insta::assert_snapshot!(upsert, @r#"
    failed to read the configuration
      SNOWFLAKE_ACCOUNT is "https://acme-prod.snowflakecomputing.com", not just an account: write acme-prod; set it to the account identifier, organization-account, for example SNOWFLAKE_ACCOUNT=acme-prod
    "#);
}

#[tokio::test]
async fn a_secrets_manager_that_does_not_answer_is_named() {
    let folder = folder();
    let nobody = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")];

    let message = cold_start(folder.path(), "upsert", &[&SECRET, &AWS, &nobody]).await;

    assert!(message.contains("failed to fetch the secret landfall/snowflake-key; check the network"), "{message}");
    assert!(message.contains("AWS_ENDPOINT_URL_SECRETS_MANAGER: no answer (Connection refused"), "{message}");
}

#[tokio::test]
async fn credentials_that_secrets_manager_does_not_take_are_told_from_a_secret_that_is_not_there() {
    let folder = folder();
    let refusal = r#"{"__type":"UnrecognizedClientException","message":"The security token is invalid."}"#;
    let url = server(move || (StatusCode::BAD_REQUEST, refusal).into_response()).await;
    let endpoint = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", url.as_str())];

    let message = cold_start(folder.path(), "upsert", &[&SECRET, &AWS, &endpoint]).await;

    insta::assert_snapshot!(message, @"failed to fetch the secret landfall/snowflake-key; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for the services of landfall dev take those of dev.env: UnrecognizedClientException: The security token is invalid");
}
