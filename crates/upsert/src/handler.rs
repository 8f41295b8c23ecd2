//! What happens to one request, top to bottom.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use landfall_core::upsert::{Rejected, Request, Response, VERSION};
use serde_json::value::RawValue;

use crate::error::{Fate, UpsertError, WarehouseError};
use crate::ports::{Rows, Warehouse};

/// How long to wait at first before a statement that met a brief obstacle runs again; then twice as long, up to some
/// seconds. Each wait is up to twice as long by chance, so that those who wait for one lock do not come back together.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Merges a request's rows.
///
/// All go in one statement. When a value is refused, the rows are halved until the refused ones stand alone;
/// only these come back as rejected. Positions that the table holds are left as they are, so that a retry adds
/// nothing.
///
/// # Errors
/// [`UpsertError`] when it is not known that every row is in the table or rejected. After `last_start` no statement is
/// started but the first one, so that the function has time left to say so.
pub async fn handle<W: Warehouse>(
    request: &Request,
    warehouse: &W,
    last_start: Instant,
) -> Result<Response, UpsertError> {
    if request.version != VERSION {
        return Err(UpsertError::Version { version: request.version, known: VERSION });
    }
    let bounds = request
        .search_bounds()
        .ok_or(UpsertError::Request { what: "arrived_ms holds no moments", source: None })?
        .map(|bound| bound.to_string());
    let bounds = [bounds[0].as_str(), bounds[1].as_str()];
    let rows: Vec<&RawValue> = serde_json::from_str(request.rows.get())
        .map_err(|source| UpsertError::Request { what: "rows is no array", source: Some(source) })?;
    if rows.is_empty() {
        return Ok(Response::default());
    }

    let mut response = Response::default();
    match merge(request, request.rows.get(), bounds, rows.len(), warehouse, last_start).await? {
        Merged::Inserted(inserted) => response.inserted = inserted,
        Merged::Refused(refusal) if rows.len() == 1 => response.rejected.push(rejected(0, refusal)),
        Merged::Refused(_) => bisect(request, &rows, bounds, warehouse, last_start, &mut response).await?,
    }
    response.duplicates = rows.len() as u64 - response.inserted - response.rejected.len() as u64;
    Ok(response)
}

/// What became of one statement.
enum Merged {
    Inserted(u64),
    Refused(WarehouseError),
}

/// Halves ranges of rows that the warehouse refuses until they are single rows.
///
/// Each half that is accepted is committed; a failure on the way costs nothing, as a retry finds these rows in
/// the table. The left half comes first, so that `rejected` is in the order of the rows.
async fn bisect<W: Warehouse>(
    request: &Request,
    rows: &[&RawValue],
    bounds: [&str; 2],
    warehouse: &W,
    last_start: Instant,
    response: &mut Response,
) -> Result<(), UpsertError> {
    let middle = rows.len() / 2;
    let mut ranges = vec![middle..rows.len(), 0..middle];
    while let Some(range) = ranges.pop() {
        if Instant::now() > last_start {
            return Err(UpsertError::TooManyRefused {
                n_rejected: response.rejected.len(),
                code: response.rejected.last().map(|rejected| rejected.code.clone()).unwrap_or_default(),
                n_left: ranges.iter().map(ExactSizeIterator::len).sum::<usize>() + range.len(),
            });
        }
        let json = json_array(&rows[range.clone()]);
        match merge(request, &json, bounds, range.len(), warehouse, last_start).await? {
            Merged::Inserted(inserted) => response.inserted += inserted,
            Merged::Refused(refusal) if range.len() == 1 => response.rejected.push(rejected(range.start, refusal)),
            Merged::Refused(_) => {
                let middle = range.start + range.len() / 2;
                ranges.extend([middle..range.end, range.start..middle]);
            }
        }
    }
    Ok(())
}

async fn merge<W: Warehouse>(
    request: &Request,
    json: &str,
    bounds: [&str; 2],
    n_rows: usize,
    warehouse: &W,
    last_start: Instant,
) -> Result<Merged, UpsertError> {
    let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(FIRST_PAUSE * 16);
    let mut pauses = pauses.without_max_times().with_jitter().build();
    let merged = loop {
        match warehouse.merge(Rows { columns: &request.columns, json, bounds }).await {
            Err(error) if error.is_brief => match pauses.next() {
                Some(pause) if Instant::now() + pause < last_start => tokio::time::sleep(pause).await,
                _ => break Err(error),
            },
            merged => break merged,
        }
    };
    match merged {
        Ok(inserted) if inserted <= n_rows as u64 => Ok(Merged::Inserted(inserted)),
        Ok(inserted) => Err(UpsertError::Unaccounted { n_rows, inserted }),
        Err(refusal) if refusal.fate == Fate::Data => Ok(Merged::Refused(refusal)),
        Err(source) => Err(UpsertError::Merge { n_rows, source }),
    }
}

fn rejected(row: usize, refusal: WarehouseError) -> Rejected {
    Rejected { row, code: refusal.code, message: refusal.message }
}

fn json_array(rows: &[&RawValue]) -> String {
    let rows: Vec<&str> = rows.iter().map(|row| row.get()).collect();
    format!("[{}]", rows.join(","))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::memory::Memory;

    fn request(rows: &[&str]) -> Request {
        Request {
            version: VERSION,
            shard_id: "shardId-000000000000".to_owned(),
            columns: vec!["STATUS".to_owned()],
            arrived_ms: [1_795_183_200_123, 1_795_183_201_123],
            rows: RawValue::from_string(format!("[{}]", rows.join(","))).unwrap(),
        }
    }

    fn in_an_hour() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[tokio::test]
    async fn a_hundred_refused_rows_are_all_rejected() {
        let memory = Memory::default();
        let rows: Vec<String> = (0..100).map(|n| format!("[\"{n}\"]")).collect();
        rows.iter().for_each(|row| memory.refuse(row));
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();

        let response = handle(&request(&rows), &memory, in_an_hour()).await.unwrap();

        let rejected: Vec<usize> = response.rejected.iter().map(|rejected| rejected.row).collect();
        assert_eq!(rejected, (0..100).collect::<Vec<_>>());
        assert_eq!(memory.merges().len(), 199);
    }

    #[tokio::test]
    async fn refused_rows_that_take_too_long_to_find_are_a_setup_fault() {
        let memory = Memory::default();
        memory.refuse(r#"["x"]"#);

        let error = handle(&request(&[r#"["a"]"#, r#"["x"]"#]), &memory, Instant::now()).await.unwrap_err();

        assert_eq!(error.kind(), "TooManyRefusedSetup");
        assert!(error.to_string().contains("0 found so far") && error.to_string().contains("2 rows left"), "{error}");
        assert_eq!(memory.table(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn all_rows_go_in_one_statement() {
        let memory = Memory::default();

        let response = handle(&request(&[r#"["a"]"#, r#"["b"]"#]), &memory, in_an_hour()).await.unwrap();

        assert_eq!(response, Response { inserted: 2, duplicates: 0, rejected: vec![] });
        assert_eq!(memory.merges(), [r#"[["a"],["b"]] 2026-11-20 13:59:59.123..2026-11-20 14:00:02.123"#]);
    }

    #[tokio::test]
    async fn a_retry_adds_nothing() {
        let memory = Memory::default();

        handle(&request(&[r#"["a"]"#, r#"["b"]"#]), &memory, in_an_hour()).await.unwrap();
        let response = handle(&request(&[r#"["b"]"#, r#"["c"]"#, r#"["c"]"#]), &memory, in_an_hour()).await.unwrap();

        assert_eq!(response, Response { inserted: 1, duplicates: 2, rejected: vec![] });
        assert_eq!(memory.table(), [r#"["a"]"#, r#"["b"]"#, r#"["c"]"#]);
    }

    #[tokio::test]
    async fn only_the_refused_rows_are_rejected() {
        let memory = Memory::default();
        memory.refuse(r#"["x"]"#);
        memory.refuse(r#"["z"]"#);
        let rows = [r#"["a"]"#, r#"["x"]"#, r#"["b"]"#, r#"["c"]"#, r#"["z"]"#];

        let response = handle(&request(&rows), &memory, in_an_hour()).await.unwrap();

        let rejected =
            |row| Rejected { row, code: "100038".to_owned(), message: "Numeric value is not recognized".to_owned() };
        assert_eq!(response, Response { inserted: 3, duplicates: 0, rejected: vec![rejected(1), rejected(4)] });
        assert_eq!(memory.table(), [r#"["a"]"#, r#"["b"]"#, r#"["c"]"#]);
    }

    #[tokio::test]
    async fn a_single_refused_row_needs_one_statement() {
        let memory = Memory::default();
        memory.refuse(r#"["x"]"#);

        let response = handle(&request(&[r#"["x"]"#]), &memory, in_an_hour()).await.unwrap();

        assert_eq!(response.rejected.len(), 1);
        assert_eq!(memory.merges().len(), 1);
    }

    #[tokio::test]
    async fn a_failure_rejects_nothing() {
        for (fate, kind) in [(Fate::Transient, "MergeTransient"), (Fate::Setup, "MergeSetup")] {
            let memory = Memory::default();
            memory.fail(fate);

            let error = handle(&request(&[r#"["a"]"#]), &memory, in_an_hour()).await.unwrap_err();

            assert_eq!(error.kind(), kind);
            assert_eq!(memory.table(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn a_brief_obstacle_is_waited_for() {
        let memory = Memory::default();
        memory.fail_briefly(2);

        let response = handle(&request(&[r#"["a"]"#]), &memory, in_an_hour()).await.unwrap();

        assert_eq!((response.inserted, memory.merges().len()), (1, 3));
    }

    #[tokio::test]
    async fn an_obstacle_is_waited_for_no_longer_than_there_is_time() {
        let memory = Memory::default();
        memory.fail_briefly(1000);
        let started = Instant::now();

        let last_start = started + Duration::from_secs(1);
        let error = handle(&request(&[r#"["a"]"#]), &memory, last_start).await.unwrap_err();

        assert_eq!(error.kind(), "MergeTransient");
        assert!((2..=4).contains(&memory.merges().len()), "{:?}", memory.merges());
        assert!(Instant::now() < last_start, "the last of them started before {:?}", started.elapsed());
        assert_eq!(memory.table(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn nothing_else_is_tried_again() {
        for fate in [Fate::Transient, Fate::Setup] {
            let memory = Memory::default();
            memory.fail(fate);
            handle(&request(&[r#"["a"]"#]), &memory, in_an_hour()).await.unwrap_err();
            assert_eq!(memory.merges().len(), 1, "{fate:?}");
        }
    }

    #[tokio::test]
    async fn another_version_of_the_contract_is_a_setup_fault() {
        let mut request = request(&[r#"["a"]"#]);
        request.version = 2;

        let error = handle(&request, &Memory::default(), in_an_hour()).await.unwrap_err();

        assert_eq!(error.kind(), "VersionSetup");
    }
}
