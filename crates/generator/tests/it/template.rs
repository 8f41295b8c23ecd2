//! The template language.

use landfall_generator::{Generator, Template};
use proptest::prelude::*;

fn record(template: &str) -> String {
    let template = Template::parse(template).unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8(Generator::new(template, 1).next_record()).unwrap()
}

/// Every record of a template whose calls leave no choice.
#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(record(template), expected, "{template}");
}

#[test]
fn a_call_is_replaced_by_what_it_renders() {
    check("{{random.number(0)}}", "0\n");
    check("{{ random.number ( 0 ) }}", "0\n");
    check("a{{random.number(0)}}b{{random.number(0)}}", "a0b0\n");
    check(r#"{"a":{"b":{{random.number(0)}}}}"#, "{\"a\":{\"b\":0}}\n");
    check(r#"{{random.number({"min":7,"max":7})}}"#, "7\n");
    check(r#"{{random.number({"min":-7,"max":-7})}}"#, "-7\n");
    check(r#"{{random.number({"min":9007199254740993,"max":9007199254740993})}}"#, "9007199254740993\n");
    check(r#"{{random.number({"min":0.25,"max":0.34,"precision":0.1})}}"#, "0.3\n");
    check(r#"{{random.number({"min":1,"max":19,"precision":10})}}"#, "10\n");
    check(r#"{{random.arrayElement(["OK"])}}"#, "OK\n");
    check(r#"{{random.weightedArrayElement({"weights":[0,0.001,0],"data":["a","b","c"]})}}"#, "b\n");
}

#[test]
fn an_element_is_a_string_s_text_or_else_its_json_as_written() {
    check(r#"{{random.arrayElement([""])}}"#, "\n");
    check(r#"{{random.arrayElement(["say \"hi\" \u00e9"])}}"#, "say \"hi\" é\n");
    check("{{random.arrayElement([1.10])}}", "1.10\n");
    check("{{random.arrayElement([123456789012345678901234567890])}}", "123456789012345678901234567890\n");
    check("{{random.arrayElement([null])}}", "null\n");
    check("{{random.arrayElement([{\"a\":\n[1, 2]}])}}", "{\"a\":[1, 2]}\n");
}

#[test]
fn an_argument_ends_where_its_json_ends() {
    check(r#"{{random.arrayElement([")}}"])}}"#, ")}}\n");
    check(r#"{{random.arrayElement(["{{random.number(0)}}"])}}"#, "{{random.number(0)}}\n");
    check(r#"{{random.arrayElement([{"a":{"b":1}}])}}}}"#, "{\"a\":{\"b\":1}}}}\n");
}

#[test]
fn a_template_of_many_lines_gives_records_of_one() {
    let template =
        "\u{feff}\r\n{\r\n    \"a\": {{random.number(\n        {\n            \"max\":0\n        }\n    )}}\n}\n\n";

    check(template, "{    \"a\": 0}\n");
}

#[test]
fn a_helper_without_an_argument_has_kdg_s_default() {
    for (template, range) in
        [("random.number", 0..=99_999), ("random.number()", 0..=99_999), ("random.number(null)", 0..=99_999)]
    {
        let number: u32 = record(&format!("{{{{{template}}}}}")).trim_end().parse().unwrap();
        assert!(range.contains(&number), "{template} {number}");
    }
    assert!(["a\n", "b\n", "c\n"].contains(&record("{{random.arrayElement}}").as_str()));
    assert!(["cat\n", "dog\n"].contains(&record("{{random.weightedArrayElement}}").as_str()));
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = Template::parse(&text);
    }

    #[test]
    fn parsing_what_looks_like_a_template_never_panics(
        text in r#"(\{\{|\}\}|random\.(number|arrayElement|weightedArrayElement)|[\[(){}:, "é]|\n|-?[0-9.e]{1,40}|"(min|max|precision|weights|data)":){0,20}"#,
    ) {
        if let Ok(template) = Template::parse(&text) {
            Generator::new(template, 1).next_record();
        }
    }

    #[test]
    fn text_without_calls_comes_back_unchanged(text in "[^\\p{White_Space}\u{feff}\r\n]([^\r\n]*[^\\p{White_Space}\u{feff}])?") {
        prop_assume!(!text.contains("{{"));

        prop_assert_eq!(record(&text), format!("{text}\n"));
    }

    #[test]
    fn a_number_lies_within_its_bounds(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        let (min, max) = (a.min(b), a.max(b));

        let number: i64 = record(&format!("{{{{random.number({{\"min\":{min},\"max\":{max}}})}}}}")).trim_end().parse().unwrap();

        prop_assert!((min..=max).contains(&number));
    }
}
