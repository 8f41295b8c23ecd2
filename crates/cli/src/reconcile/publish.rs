//! The metrics that the alarms on Snowpipe go by.

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use landfall_core::ArrivedAt;
use landfall_core::metrics::{self, MICROBATCH_LAG_MS, MICROBATCH_MISSING, Metric, NAMESPACE, OF_RECONCILE};

use super::compare::{Compared, Store};
use crate::aws;

/// What Snowpipe has not loaded of what landed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub(super) n_documents: usize,
    /// When the first of them arrived.
    pub(super) since: Option<ArrivedAt>,
}

impl Backlog {
    /// `None` where landing zone and micro-batch table were not both looked at.
    pub(super) fn of(compared: &Compared) -> Option<Self> {
        let are_compared = [Store::Landing, Store::Microbatch].iter().all(|store| compared.stores.contains_key(store));
        let missing = compared.missing.get(&Store::Microbatch);
        let backlog = missing.map(|missing| Self { n_documents: missing.n_landed, since: missing.first_landed });
        are_compared.then(|| backlog.unwrap_or_default())
    }

    /// How long the first of them has waited.
    fn lag_ms(self, now: SystemTime) -> f64 {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as f64;
        self.since.map_or(0.0, |since| (now - since.as_millis() as f64).max(0.0))
    }
}

/// Publishes it. Zeros too: they are what ends an alarm.
pub(super) async fn publish(aws: &SdkConfig, pipeline: &str, backlog: Backlog, now: SystemTime) -> anyhow::Result<()> {
    let request = Client::new(aws).put_metric_data().namespace(NAMESPACE);
    let sent = request.set_metric_data(Some(data(pipeline, backlog, now))).send().await;
    sent.map_err(|error| aws::failure("failed to publish the metrics in CloudWatch", &error))?;
    Ok(())
}

fn data(pipeline: &str, backlog: Backlog, now: SystemTime) -> Vec<MetricDatum> {
    let values = [(MICROBATCH_MISSING, backlog.n_documents as f64), (MICROBATCH_LAG_MS, backlog.lag_ms(now))];
    let dimensions = [(metrics::PIPELINE, pipeline), (metrics::FUNCTION, OF_RECONCILE)];
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let datum = |(metric, value): (Metric, f64)| {
        let datum = MetricDatum::builder().metric_name(metric.name).unit(StandardUnit::from(metric.unit.as_str()));
        datum.value(value).set_dimensions(Some(dimensions.to_vec())).build()
    };
    values.map(datum).to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use aws_sdk_cloudwatch::config::{Credentials, SharedCredentialsProvider};

    use super::*;

    fn published(backlog: Backlog, now_ms: u64) -> Vec<String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms);
        let shown = |datum: &MetricDatum| {
            let dimensions =
                datum.dimensions().iter().map(|one| format!("{}={}", one.name().unwrap(), one.value().unwrap()));
            let dimensions: Vec<_> = dimensions.collect();
            let [name, unit] = [datum.metric_name().unwrap(), datum.unit().unwrap().as_str()];
            format!("{name} {} {unit} {}", datum.value().unwrap(), dimensions.join(" "))
        };
        data("sensors", backlog, now).iter().map(shown).collect()
    }

    #[test]
    fn a_backlog_is_as_old_as_its_first_document() {
        let backlog = Backlog { n_documents: 3, since: ArrivedAt::from_millis(1_000_000) };
        insta::assert_snapshot!(published(backlog, 1_720_000).join("\n"), @"
        MicrobatchMissing 3 Count Pipeline=sensors Function=reconcile
        MicrobatchLagMs 720000 Milliseconds Pipeline=sensors Function=reconcile
        ");
        let behind = published(backlog, 999_000);
        assert!(behind[1].starts_with("MicrobatchLagMs 0 "), "a clock that is behind: {behind:?}");
    }

    #[test]
    fn that_nothing_is_missing_is_published_too() {
        insta::assert_snapshot!(published(Backlog::default(), 1_720_000).join("\n"), @"
        MicrobatchMissing 0 Count Pipeline=sensors Function=reconcile
        MicrobatchLagMs 0 Milliseconds Pipeline=sensors Function=reconcile
        ");
    }

    /// CloudWatch, answering each request with a status; the names of the operations that it was asked for.
    async fn cloudwatch(status: u16) -> (SdkConfig, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let operations = Arc::clone(&asked);
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            operations.lock().unwrap().extend(request.uri().path().rsplit('/').next().map(str::to_owned));
            async move {
                let headers = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")];
                // An empty map.
                (axum::http::StatusCode::from_u16(status).unwrap(), headers, vec![0xa0_u8])
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let config = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .endpoint_url(endpoint)
            .build();
        (config, asked)
    }

    #[tokio::test]
    async fn cloudwatch_is_told_once_and_what_it_refuses_is_an_error() {
        let (config, asked) = cloudwatch(200).await;
        publish(&config, "sensors", Backlog::default(), SystemTime::now()).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), ["PutMetricData"]);

        let (config, _) = cloudwatch(403).await;
        let error = publish(&config, "sensors", Backlog::default(), SystemTime::now()).await.unwrap_err();
        assert_eq!(error.to_string(), "failed to publish the metrics in CloudWatch: HTTP 403");
    }

    #[test]
    fn there_is_a_backlog_where_landing_zone_and_table_were_compared() {
        let of = |stores: &[Store]| Backlog::of(&crate::reconcile::compare::Tally::default().compare(stores));
        assert_eq!(of(&Store::ALL), Some(Backlog::default()));
        assert_eq!(of(&[Store::Streaming, Store::Microbatch]), None);
        assert_eq!(of(&[Store::Landing, Store::Streaming]), None);
    }
}
