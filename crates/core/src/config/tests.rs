use super::*;

const BUCKET: Variable = Variable { name: "BUCKET", meaning: "the bucket", example: "acme", default: None };
const SWITCH: Variable = Variable { name: "SWITCH", meaning: "on, or off", example: "off", default: Some("on") };
const SCALE: Variable = Variable { name: "SCALE", meaning: "a factor", example: "0.1", default: Some("1") };

fn read(variables: &[(&str, &str)]) -> Result<(String, bool, f64), String> {
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let mut variables = Variables::new(&get);
    let values = (variables.text(BUCKET), variables.switch(SWITCH), variables.factor(SCALE));
    variables.finish().map(|()| values).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_set_has_its_default() {
    assert_eq!(read(&[("BUCKET", "b")]), Ok(("b".to_owned(), true, 1.0)));
    assert_eq!(read(&[("BUCKET", "b"), ("SWITCH", ""), ("SCALE", "")]), Ok(("b".to_owned(), true, 1.0)));
    assert_eq!(read(&[("BUCKET", "b"), ("SWITCH", "off"), ("SCALE", "0.5")]), Ok(("b".to_owned(), false, 0.5)));
}

#[test]
fn all_faults_are_named_at_once_with_an_example() {
    insta::assert_snapshot!(read(&[("BUCKET", ""), ("SWITCH", "ON"), ("SCALE", "NaN")]).unwrap_err(), @r#"
    failed to read the configuration
      BUCKET is not set; set it to the bucket, for example BUCKET=acme
      SWITCH is "ON", neither on nor off; set it to on, or off, for example SWITCH=off
      SCALE is "NaN", no number above 0 and up to 10; set it to a factor, for example SCALE=0.1
    "#);
}

#[test]
fn a_factor_lies_above_0_and_up_to_10() {
    for bad in ["0", "-1", "10.1", "inf", "NaN", "x"] {
        assert!(read(&[("BUCKET", "b"), ("SCALE", bad)]).is_err(), "{bad}");
    }
}

#[test]
fn time_outs_nest_at_every_scale() {
    for factor in [10.0, 1.0, 0.1, 0.001] {
        let timeouts = Timeouts::scaled(factor);
        assert!(timeouts.statement() < timeouts.upsert_function());
        assert!(timeouts.upsert_function() < timeouts.invoke());
        assert!(timeouts.invoke() + timeouts.answer_before_end() <= timeouts.request_starts_before_end());
        assert!(timeouts.request_starts_before_end() < timeouts.orchestrator_function());
    }
}

#[test]
fn a_pipeline_that_does_not_load_names_its_file() {
    let missing = pipeline("/nowhere", |_| Err(std::io::ErrorKind::NotFound.into())).unwrap_err();
    insta::assert_snapshot!(crate::chain(&missing), @"failed to read /nowhere; set PIPELINE_FILE to the path of pipeline.toml; in Lambda it is in the function's zip, for example PIPELINE_FILE=/var/task/pipeline.toml: entity not found");
    let faulty = pipeline("p.toml", |_| Ok("name = 7".to_owned())).unwrap_err();
    insta::assert_snapshot!(crate::chain(&faulty), @r#"
    failed to use p.toml: failed to read the pipeline: 4 faults
      line 1: the file `name` is an integer; write name = "sensors"
      line 1: there are no fields; add a [[fields]] section for each column
      line 1: there is no [landing] section; add [landing], as in the default pipeline.toml
      line 1: there is no [snowflake] section; add [snowflake], as in the default pipeline.toml
    "#);
}

#[test]
fn what_aws_lacks_is_named_at_once_with_an_example() {
    assert_eq!(check_aws(true, None), Ok(()));
    insta::assert_snapshot!(check_aws(false, Some("nobody has any".to_owned())).unwrap_err(), @r#"
    failed to read the configuration
      AWS_REGION is not set, and no profile names a region; set it to the region of the bucket and of the functions, for example AWS_REGION=us-east-1
      AWS_ACCESS_KEY_ID gives no credentials, nor does a profile or a role (nobody has any); set it to an access key and AWS_SECRET_ACCESS_KEY to its secret, or AWS_PROFILE to a profile (where that signs in through a browser or a program: eval "$(aws configure export-credentials --format env)"); in Lambda the function's role gives them, and for the services of landfall dev take those of dev.env, for example AWS_ACCESS_KEY_ID=landfall
    "#);
}

#[test]
fn why_there_are_no_credentials_is_said_in_a_few_words() {
    for (why, said) in [
        ("found none. Attempted:\n  Environment: no\n  Profile: no", "role"),
        (
            "requires following cargo feature(s) enabled: sso. ",
            "role (the profile signs in through a browser or a program)",
        ),
        ("profile formed an infinite loop", "role (profile formed an infinite loop)"),
    ] {
        let message = check_aws(true, Some(why.to_owned())).unwrap_err().to_string();
        assert!(
            message.contains(&format!("gives no credentials, nor does a profile or a {said}; set it to")),
            "{message}"
        );
    }
}

#[test]
fn a_function_that_is_started_by_hand_says_how_to_start_it() {
    assert!(check_lambda(&|_| Some("set".to_owned())).is_ok());
    let by_hand = check_lambda(&|name| (name != "AWS_LAMBDA_FUNCTION_NAME").then(String::new)).unwrap_err();
    insta::assert_snapshot!(by_hand, @"failed to find Lambda: AWS_LAMBDA_FUNCTION_NAME is not set; deploy the function, or start it on this machine with landfall dev, or with cargo lambda watch --env-file dev.env");
}
