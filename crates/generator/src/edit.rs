//! Changing one value of a JSON object and leaving all others as they were written.

use serde_json::Value;

use crate::json::Pairs;

/// The object `text` with `value` at `path`, or without anything there if `value` is `None`.
///
/// Of a doubled key on the path the first stays. Objects on the path that are missing are made, and other values
/// on it give way to them, but for a removal: what is not there need not go. `None` if `text` is no object.
pub(crate) fn edit(text: &str, path: &[String], value: Option<&str>) -> Option<String> {
    let (key, inner) = path.split_first()?;
    let Pairs(pairs) = serde_json::from_str(text).ok()?;
    let present = pairs.iter().find(|(present, _)| present == key).map(|(_, value)| *value);
    let new = if inner.is_empty() {
        value.map(str::to_owned)
    } else {
        match (present.and_then(|present| edit(present, inner, value)), value) {
            (None, Some(_)) => edit("{}", inner, value),
            (edited, _) => edited,
        }
    };

    let mut members = Vec::with_capacity(pairs.len() + 1);
    let mut new = new.map(|new| member(key, &new));
    for (other, value) in &pairs {
        if other == key {
            members.extend(new.take());
        } else {
            members.push(member(other, value));
        }
    }
    members.extend(new);
    Some(format!("{{{}}}", members.join(",")))
}

fn member(key: &str, value: &str) -> String {
    format!("{}:{value}", Value::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &[&str], value: Option<&str>, expected: Option<&str>) {
        let path: Vec<_> = path.iter().map(|&key| key.to_owned()).collect();

        assert_eq!(edit(text, &path, value).as_deref(), expected, "{text} {path:?}");
    }

    #[test]
    fn one_value_changes_and_the_others_stay_as_written() {
        check(r#"{"b": 1.10, "a" :2}"#, &["a"], Some("3"), Some(r#"{"b":1.10,"a":3}"#));
        check(
            r#"{"b":1,"a":{"c":[1, 2],"d":12345678901234567890123}}"#,
            &["b"],
            None,
            Some(r#"{"a":{"c":[1, 2],"d":12345678901234567890123}}"#),
        );
        check(r#"{"a":{"c":1,"d":2},"b":3}"#, &["a", "c"], Some("9"), Some(r#"{"a":{"c":9,"d":2},"b":3}"#));
        check(r#"{"a":{"c":1,"d":2},"b":3}"#, &["a", "c"], None, Some(r#"{"a":{"d":2},"b":3}"#));
        check(r#"{"a\"\u0062":1}"#, &["a\"b"], Some("2"), Some(r#"{"a\"b":2}"#));
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_doubled_becomes_one() {
        check("{}", &["a", "b"], Some("1"), Some(r#"{"a":{"b":1}}"#));
        check(r#"{"a":7}"#, &["a", "b"], Some("1"), Some(r#"{"a":{"b":1}}"#));
        check(r#"{"a":7}"#, &["a", "b"], None, Some("{}"));
        check(r#"{"b":2}"#, &["a"], None, Some(r#"{"b":2}"#));
        check(r#"{"a":1,"b":2,"a":3}"#, &["a"], None, Some(r#"{"b":2}"#));
        check(r#"{"a":1,"b":2,"a":3}"#, &["a"], Some("4"), Some(r#"{"a":4,"b":2}"#));
        check("[1]", &["a"], None, None);
        check("{", &["a"], None, None);
    }
}
