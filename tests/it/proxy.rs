//! What the fault proxy does to a session with Snowflake.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_local::proxy::{Fault, Proxy, answers};
use landfall_snowflake::{Config, Credentials, Fate, Secret, Session};

use crate::support::{TestStack, start};

const TABLE: &str = "\"LANDFALL\".\"STAGING\".\"PROXIED\"";

/// A session through a proxy whose faults meet its statements, one after the other.
async fn session(test: &TestStack) -> (Session, Arc<Mutex<VecDeque<Fault>>>, Proxy) {
    let faults = Arc::<Mutex<VecDeque<Fault>>>::default();
    let plan = faults.clone();
    let proxy = Proxy::start(move |request| {
        let is_query = request.uri().path() == "/queries/v1/query-request";
        is_query.then(|| plan.lock().unwrap().pop_front()).flatten()
    })
    .await
    .unwrap();
    proxy.forward_to(test.stack.snowflake.endpoint());
    let config = Config {
        account: "local".to_owned(),
        user: "LANDFALL".to_owned(),
        credentials: Credentials::PrivateKey(Secret::new(
            std::fs::read_to_string(test.stack.snowflake.key_file()).unwrap(),
        )),
        base_url: Some(proxy.endpoint()),
        role: None,
        warehouse: None,
        database: Some("LANDFALL".to_owned()),
        schema: Some("STAGING".to_owned()),
        query_tag: "landfall/tests".to_owned(),
        statement_timeout: Duration::from_secs(2),
    };
    (Session::new(config).unwrap(), faults, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_snowflake_is_one_to_its_client() {
    let test = start().await;
    test.session.query(&format!("CREATE TABLE {TABLE} (N NUMBER(38,0))"), &[]).await.unwrap();
    let (session, faults, _proxy) = session(&test).await;
    let insert = async |fault: Fault| {
        faults.lock().unwrap().push_back(fault);
        session.query(&format!("INSERT INTO {TABLE} VALUES (1)"), &[]).await
    };
    let n_rows = async || {
        let answer = test.session.query(&format!("SELECT COUNT(*) FROM {TABLE}"), &[]).await.unwrap();
        answer.rows[0][0].clone().unwrap()
    };

    for (answer, code) in [(answers::snowflake_lock_waiters(), "000625"), (answers::snowflake_time_out(), "000630")] {
        let error = insert(Fault::Answer(answer)).await.unwrap_err();
        assert_eq!((error.code(), error.fate()), (Some(code), Fate::Transient));
    }
    insert(Fault::ResetBefore).await.unwrap_err();
    assert_eq!(n_rows().await, "0");
    insert(Fault::ResetAfter).await.unwrap_err();
    assert_eq!(n_rows().await, "1");
    insert(Fault::NeverAnswer).await.unwrap_err();
    assert_eq!(n_rows().await, "2");
    // A session that is gone is replaced, and the statement runs in the new one.
    for has_expired in [false, true] {
        insert(Fault::Answer(answers::snowflake_session_gone(has_expired))).await.unwrap();
    }
    assert_eq!(n_rows().await, "4");
    test.stack.stop().await;
}
