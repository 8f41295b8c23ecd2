//! What holds between crates.

use landfall_core::{ArrivedAt, Pipeline, Record, SequenceNumber, decode, landing};
use landfall_generator::{Generator, Poisoner, Template};

use crate::support::{SENSORS, record, sensor, workspace};

#[test]
fn every_spoiled_record_is_poison_and_every_other_one_a_row() {
    let pipeline = Pipeline::from_toml(SENSORS).unwrap();
    let template = std::fs::read_to_string(workspace().join("events/templates/sensor.json")).unwrap();
    let mut generator = Generator::new(Template::parse(&template).unwrap(), 1);
    let mut poisoner = Poisoner::new(&pipeline, 1, 0.5);
    let mut n_spoiled = [0; 2];
    for n in 0..5000 {
        let data = generator.next_record();
        let spoiled = poisoner.spoil(&data);
        n_spoiled[usize::from(spoiled.is_some())] += 1;

        let kind = spoiled.as_ref().map(|spoiled| spoiled.kind);
        let data = spoiled.map_or(data, |spoiled| spoiled.record);
        let batch = decode(&pipeline, &[record(n, &data)]);

        assert_eq!(batch.rows.is_empty(), kind.is_some(), "{kind:?}: {}", String::from_utf8_lossy(&data));
        assert_eq!(batch.poison.is_empty(), kind.is_none());
    }
    assert!(n_spoiled.iter().all(|n| *n > 2000), "{n_spoiled:?}");
}

/// One record's arrival, however it is delivered, stands the same in the landing zone.
#[test]
fn a_landed_object_reads_back_as_what_was_landed() {
    let pipeline = Pipeline::from_toml(SENSORS).unwrap();
    let late =
        Record { arrived_at: ArrivedAt::from_millis(1_795_183_200_050).unwrap(), ..sensor(101, 6, 1, "a,\"b\"\n") };
    let records = [sensor(100, 6, 64, ""), late];

    let batch = decode(&pipeline, &records);
    let objects: Vec<_> = landing::objects(&pipeline, &batch.rows).map(Result::unwrap).collect();

    let rows = landing::read(&objects[0].key, &objects[0].body).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][8].as_deref(), Some(""));
    assert_eq!((rows[1][5].as_deref(), rows[1][8].as_deref()), (Some("2026-11-20 14:00:00.050"), Some("a,\"b\"\n")));
    assert_eq!(SequenceNumber::new(rows[1][1].as_deref().unwrap()), Some(records[1].sequence_number.clone()));
}
