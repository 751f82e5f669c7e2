//! The table of the chart's values in docs/helm.md is made from `values.schema.json`.

use std::fs;

use serde_json::Value;

use crate::file;

const PAGE: &str = "docs/helm.md";
const BEGIN: &str = "<!-- made by make docs: values of the chart -->\n";
const END: &str = "<!-- end of what make docs made -->";

/// With this in the environment the table is written instead of compared (`make docs`).
const WRITE: &str = "FLATLAND_WRITE_DOCS";

#[test]
fn helm_values_in_the_page_are_those_of_the_schema() {
    let schema = fs::read_to_string(file("conf/helm/flatland/values.schema.json")).unwrap();
    let mut rows = Vec::new();
    collect("", &serde_json::from_str(&schema).unwrap(), &mut rows);
    let table = format!(
        "| value | default | meaning |\n| --- | --- | --- |\n{}\n",
        rows.join("\n")
    );
    let page = fs::read_to_string(file(PAGE)).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os(WRITE).is_some() {
        let page = format!("{before}{BEGIN}{table}{END}{after}");
        fs::write(file(PAGE), page).unwrap();
    } else {
        assert_eq!(found, table, "run make docs");
    }
}

/// The rows of the values below `path`: those with a default.
fn collect(path: &str, schema: &Value, rows: &mut Vec<String>) {
    for (key, value) in schema["properties"].as_object().unwrap() {
        let name = format!("{path}{key}");
        if value["default"].is_null() {
            collect(&format!("{name}."), value, rows);
        } else {
            rows.push(row(&name, value));
        }
    }
}

fn row(name: &str, value: &Value) -> String {
    let mut meaning = value["description"].as_str().unwrap().to_owned();
    if let Some(words) = value["enum"].as_array() {
        let words: Vec<_> = words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap()))
            .collect();
        meaning = format!("{meaning} One of {}.", words.join(", "));
    }
    let default = value["default"].to_string();
    format!("| `{name}` | `{default}` | {meaning} |")
}
