//! The template that fits a pipeline.

use std::collections::BTreeSet;

use landfall_core::pipeline::UnknownFields;
use landfall_core::{ArrivedAt, Batch, Cell, Pipeline, Record, SequenceNumber, decode};
use landfall_generator::{Generator, Poisoner, Template, template_text};
use proptest::prelude::*;

/// A pipeline of these fields: name, type and whether it is required. The first one partitions, and so is required in any case.
fn pipeline(fields: &[(String, String, bool)], options: &str) -> Option<Pipeline> {
    let mut text = format!("name = \"any\"\n{options}\n");
    for (index, (name, data_type, required)) in fields.iter().enumerate() {
        let (name, required) = (toml_string(name), *required || index == 0);
        text += &format!(
            "[[fields]]\nname = {name}\ncolumn = \"C{index}\"\ntype = \"{data_type}\"\nrequired = {required}\n"
        );
    }
    let partition_by = toml_string(&fields.first()?.0);
    text += &format!("[landing]\npartition_by = {partition_by}\n");
    text += "[snowflake]\ndatabase = \"D\"\nschema = \"S\"\nstreaming_table = \"A\"\nmicrobatch_table = \"B\"\n";
    Pipeline::from_toml(&text).ok()
}

/// JSON's strings are TOML's, but for DEL, which TOML wants escaped.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn decoded(pipeline: &Pipeline, data: &[u8]) -> Batch {
    let record = Record {
        shard_id: "shardId-000000000000".into(),
        sequence_number: SequenceNumber::new("100").unwrap(),
        partition_key: "key".into(),
        arrived_at: ArrivedAt::from_millis(1_795_183_200_123).unwrap(),
        data: Ok(data.into()),
        place: None,
    };
    decode(pipeline, &[record])
}

/// Every record is one row, and every record that is spoiled by whatever kind applies is none.
fn law(pipeline: &Pipeline, n_records: usize) {
    let mut generator = Generator::new(Template::for_pipeline(pipeline), 1);
    let mut poisoner = Poisoner::new(pipeline, 1, 1.0);
    let mut partitions = BTreeSet::new();
    for _ in 0..n_records {
        let record = generator.next_record();
        let text = String::from_utf8_lossy(&record);

        let Batch { rows, poison, .. } = decoded(pipeline, &record);
        assert!(rows.len() == 1 && poison.is_empty(), "{text}: {poison:?}");
        let extra = pipeline.unknown_fields == UnknownFields::Keep;
        assert!(!extra || matches!(rows[0].cells.get(0), Some(Cell::Json(_))), "{text}");
        partitions.insert(rows[0].partition_value(pipeline).to_owned());

        for kind in poisoner.kinds().to_vec() {
            let spoiled = poisoner.spoil_as(kind, &record);
            let Batch { rows, poison, .. } = decoded(pipeline, &spoiled.record);
            let text = String::from_utf8_lossy(&spoiled.record);
            assert!(spoiled.kind == kind && rows.is_empty() && !poison.is_empty(), "{kind}: {text}");
        }
    }
    assert!(partitions.len() <= 20, "{partitions:?}");
}

const TYPES: [&str; 17] = [
    "integer",
    "decimal(1,0)",
    "decimal(1,1)",
    "decimal(12,2)",
    "decimal(37,37)",
    "decimal(38,0)",
    "decimal(38,18)",
    "decimal(38,36)",
    "decimal(38,37)",
    "float",
    "boolean",
    "string",
    "timestamp",
    "timestamp(s)",
    "timestamp(ms)",
    "date",
    "variant",
];

#[test]
fn every_type_is_a_row_as_partition_as_required_and_as_optional_field() {
    let field = |name: &str, data_type: &str, required| (name.to_owned(), data_type.to_owned(), required);
    for data_type in TYPES {
        let partition = if data_type == "variant" { "integer" } else { data_type };
        let fields = [
            field("partition", partition, true),
            field("required", data_type, true),
            field("optional", data_type, false),
        ];
        law(&pipeline(&fields, "").unwrap(), 200);
    }
}

#[test]
fn an_optional_field_is_sometimes_null() {
    let fields = [("id".to_owned(), "integer".to_owned(), true)]
        .into_iter()
        .chain(TYPES.map(|data_type| (data_type.replace(['(', ')', ','], "-"), data_type.to_owned(), false)));
    let pipeline = pipeline(&fields.collect::<Vec<_>>(), "").unwrap();
    let mut generator = Generator::new(Template::for_pipeline(&pipeline), 1);

    let rows: Vec<_> = (0..200).flat_map(|_| decoded(&pipeline, &generator.next_record()).rows).collect();

    for index in 1..=TYPES.len() {
        let n_nulls = rows.iter().filter(|row| row.cells.get(index) == Some(Cell::Null)).count();
        assert!((5..195).contains(&n_nulls), "{}: {n_nulls} of 200", TYPES[index - 1]);
    }
}

#[test]
fn partitions_repeat() {
    for data_type in TYPES.into_iter().filter(|data_type| *data_type != "variant") {
        let pipeline = pipeline(&[("id".to_owned(), data_type.to_owned(), true)], "").unwrap();
        let mut generator = Generator::new(Template::for_pipeline(&pipeline), 1);

        let values: BTreeSet<_> = (0..500)
            .flat_map(|_| decoded(&pipeline, &generator.next_record()).rows)
            .map(|row| row.partition_value(&pipeline).to_owned())
            .collect();

        let expected = match data_type {
            "boolean" => 2,
            "decimal(1,0)" | "decimal(1,1)" => 10,
            _ => 20,
        };
        assert_eq!(values.len(), expected, "{data_type}: {values:?}");
    }
}

#[test]
fn the_template_is_for_a_person_to_edit() {
    let field = |name: &str, data_type: &str, required| (name.to_owned(), data_type.to_owned(), required);
    let fields = [
        field("/store/name", "string", true),
        field("total", "decimal(12,2)", true),
        field("/store/{{no}}", "integer", false),
        field("note", "timestamp(ms)", true),
        field("gift", "boolean", false),
    ];

    let text = template_text(&pipeline(&fields, "unknown_fields = \"keep\"").unwrap());

    insta::assert_snapshot!(text, @r#"
    {
      "store": {
        "name": "{{random.arrayElement(["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango"])}}",
        "{\u007bno}}": {{random.arrayElement([0, 1, 7, 42, 365, 1999, 65536, -5, 9007199254740993, "\"12\"", null])}}
      },
      "total": {{random.number({"min": 0, "max": 9999.99, "precision": 0.01})}},
      "note": {{random.number({"min": 1793491200000, "max": 1796083199999})}},
      "gift": {{random.arrayElement([true, false, null])}},
      "note_": {{random.arrayElement(["\"generated\"", "\"made up\""])}}
    }
    "#);
}

#[test]
fn an_unknown_field_is_there_where_it_is_kept_and_nowhere_else() {
    let fields = [("note".to_owned(), "string".to_owned(), true)];
    let template = |option: &str| template_text(&pipeline(&fields, option).unwrap());

    assert!(template("unknown_fields = \"keep\"").contains("\"note_\""));
    assert!(!template("unknown_fields = \"ignore\"").contains("\"note_\""));
    assert!(!template("unknown_fields = \"reject\"").contains("\"note_\""));
}

fn any_name() -> impl Strategy<Value = String> {
    let key = prop_oneof!["[a-c]", Just("note".to_owned()), r#"[a{}()"'\\\n\r\t~01 .é🌡️]{1,6}"#, any::<String>(),];
    prop_oneof![
        key.clone(),
        prop::collection::vec(key, 1..4).prop_map(|keys| keys
            .iter()
            .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            .collect()),
    ]
}

fn any_type() -> impl Strategy<Value = String> {
    let decimal = (1..=38_u8).prop_flat_map(|precision| {
        (0..=precision.min(37)).prop_map(move |scale| format!("decimal({precision},{scale})"))
    });
    prop_oneof![prop::sample::select(TYPES.to_vec()).prop_map(str::to_owned), decimal]
}

proptest! {
    #[test]
    fn every_record_is_a_row_of_its_pipeline(
        fields in prop::collection::vec((any_name(), any_type(), any::<bool>()), 1..8),
        unknown_fields in prop::sample::select(vec!["ignore", "reject", "keep"]),
        documents in prop::sample::select(vec!["lines", "array"]),
    ) {
        let options = format!("unknown_fields = \"{unknown_fields}\"\ndocuments = \"{documents}\"");
        // Most lists of fields are a pipeline; in the others one path leads through another, or a variant partitions.
        let pipeline = pipeline(&fields, &options);
        prop_assume!(pipeline.is_some());

        law(&pipeline.unwrap(), 20);
    }
}
