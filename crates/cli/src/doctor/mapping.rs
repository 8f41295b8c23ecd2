//! The event source mapping: whether the stream is read.

use aws_config::SdkConfig;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionResponseType};
use landfall_snowflake::provision::{Check, Outcome};

use super::amazon::Places;
use super::refused;
use crate::aws;

const WHAT: &str = "mapping";

pub(super) async fn check(aws: &SdkConfig, function: &str, places: &Places) -> Check {
    let list = aws_sdk_lambda::Client::new(aws).list_event_source_mappings();
    let list = match (&places.mapping, &places.stream_arn) {
        (Some(_), Some(stream)) => list.event_source_arn(stream),
        _ => list.function_name(function),
    };
    match list.send().await {
        Ok(answer) => judged(answer.event_source_mappings(), function, places),
        Err(error) => {
            let error = aws::failure(&format!("failed to list the mappings of {function}"), &error);
            refused(WHAT, &error, "lambda:ListEventSourceMappings", "check the function's name")
        }
    }
}

/// Of the mappings that are the deployment's own: the worst that is to be said of any.
fn judged(mappings: &[EventSourceMappingConfiguration], function: &str, places: &Places) -> Check {
    let own = |mapping: &&EventSourceMappingConfiguration| match (&places.mapping, &places.stream) {
        (Some(uuid), _) => mapping.uuid() == Some(uuid),
        (None, Some(stream)) => is_of(mapping.event_source_arn().unwrap_or_default(), stream),
        (None, None) => true,
    };
    let checks = mappings.iter().filter(own).map(|mapping| one(mapping, function, places.phase.as_deref()));
    let severity = |check: &Check| match check.outcome {
        Outcome::Fault { .. } => 2,
        Outcome::Unknown(_) => 1,
        Outcome::Ok(_) => 0,
    };
    checks.max_by_key(severity).unwrap_or_else(|| {
        let stream = places.stream.as_deref().unwrap_or("no stream");
        Check::fault(WHAT, format!("{stream} is not mapped to {function}"), "terraform apply: it makes the mapping")
    })
}

/// Whether an ARN is that of the stream, or of a consumer of it.
fn is_of(arn: &str, stream: &str) -> bool {
    arn.split_once(":stream/").is_some_and(|(_, name)| name == stream || name.starts_with(&format!("{stream}/")))
}

fn one(mapping: &EventSourceMappingConfiguration, function: &str, phase: Option<&str>) -> Check {
    let (state, uuid) = (mapping.state().unwrap_or("in no known state"), mapping.uuid().unwrap_or_default());
    match state {
        "Enabled" => {}
        "Creating" | "Enabling" | "Updating" | "Disabling" | "Deleting" => {
            return Check::unknown(WHAT, format!("{state}: look again in a minute"));
        }
        // Whoever enables it by hand before Snowflake is there has every batch fail.
        _ => {
            let what = format!("{state}: no record is read");
            let enable = format!(
                "set mapping_enabled = true and terraform apply, or aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            );
            return match phase {
                Some("1") => Check::ok(
                    WHAT,
                    format!(
                        "{state}, as it should be in phase 1: records wait in the stream; next: landfall snowflake apply, \
                         then terraform apply, which enables it"
                    ),
                ),
                Some(_) => Check::fault(WHAT, what, enable),
                None => Check::fault(
                    WHAT,
                    what,
                    format!(
                        "if terraform output phase says 1, landfall snowflake apply and terraform apply; else {enable}"
                    ),
                ),
            };
        }
    }
    if !mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures) {
        let what = "it does not take partial answers (ReportBatchItemFailures)";
        return Check::fault(WHAT, what, "terraform apply: it sets function_response_types");
    }
    let result = mapping.last_processing_result().unwrap_or("No records processed");
    if result.starts_with("PROBLEM") {
        let remedy = format!("read the function's log: aws logs tail /aws/lambda/{function} --since 1h");
        return Check::fault(WHAT, result, remedy);
    }
    Check::ok(WHAT, format!("{state}, {result}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "arn:aws:kinesis:us-east-1:1:stream/landfall";

    fn mapping(uuid: &str, stream: &str, state: &str) -> EventSourceMappingConfiguration {
        EventSourceMappingConfiguration::builder()
            .uuid(uuid)
            .event_source_arn(stream)
            .state(state)
            .function_response_types(FunctionResponseType::ReportBatchItemFailures)
            .last_processing_result("OK")
            .build()
    }

    fn places(mapping: Option<&str>, stream: Option<&str>, phase: Option<&str>) -> Places {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Places { mapping: text(mapping), stream: text(stream), phase: text(phase), ..Places::default() }
    }

    #[test]
    fn one_that_waits_for_snowflake_is_not_to_be_enabled_by_hand() {
        let disabled = [mapping("u", STREAM, "Disabled")];
        let judge = |phase| judged(&disabled, "f", &places(None, None, phase)).outcome;
        let remedy = |phase| match judge(phase) {
            Outcome::Fault { remedy, .. } => remedy,
            other => panic!("{other:?}"),
        };

        let first = "Disabled, as it should be in phase 1: records wait in the stream; next: landfall snowflake apply, then \
                     terraform apply, which enables it";
        assert_eq!(judge(Some("1")), Outcome::Ok(first.to_owned()));
        assert!(remedy(Some("2")).starts_with("set mapping_enabled = true") && remedy(Some("2")).contains("--uuid u "));
        assert!(remedy(None).starts_with("if terraform output phase says 1, landfall snowflake apply"));
    }

    #[test]
    fn one_that_is_on_its_way_is_neither_well_nor_at_fault() {
        for state in ["Creating", "Enabling", "Updating", "Disabling", "Deleting"] {
            let check = judged(&[mapping("u", STREAM, state)], "f", &places(None, None, None));
            assert!(matches!(check.outcome, Outcome::Unknown(_)), "{check:?}");
        }
    }

    #[test]
    fn the_deployments_own_is_looked_at_and_of_several_the_worst() {
        let mappings = [
            mapping("other", "arn:aws:kinesis:us-east-1:1:stream/landfall-2", "Disabled"),
            mapping("u", STREAM, "Enabled"),
            mapping("v", &format!("{STREAM}/consumer/c:1"), "Disabled"),
        ];
        let state = |places: Places| judged(&mappings, "f", &places).is_fault();

        assert!(!state(places(Some("u"), Some("landfall"), None)));
        assert!(state(places(None, Some("landfall"), None)));
        assert!(state(places(None, Some("absent"), None)));
        assert!(!judged(&mappings[..2], "f", &places(None, Some("landfall"), None)).is_fault());
    }
}
