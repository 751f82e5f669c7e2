//! Patches, as merge patch (RFC 7386) and as strategic merge patch.

use serde_json::{Map, Value};

/// How the lists of a patch are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// A list replaces the old one.
    Replace,
    /// Some lists are merged, by the key of their items.
    Merge,
}

/// The lists that are merged, and the key of their items; empty: the items are plain values
/// (`patchStrategy` and `patchMergeKey` in the API's types).
const MERGED: [(&str, &str); 5] = [
    ("conditions", "type"),
    ("addresses", "type"),
    ("ownerReferences", "uid"),
    ("finalizers", ""),
    ("podCIDRs", ""),
];

/// Applies `patch` to `object`.
pub(super) fn merge(object: &mut Value, patch: &Value, lists: Lists) {
    let Value::Object(fields) = patch else {
        object.clone_from(patch);
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (field, value) in fields {
        let is_directive = lists == Lists::Merge && field.starts_with('$');
        if value.is_null() {
            object
                .as_object_mut()
                .expect("set above")
                .shift_remove(field);
        } else if let (Value::Array(patch), Some(key)) = (value, merge_key(field, lists)) {
            merge_list(&mut object[field], patch, key);
        } else if !is_directive {
            merge(&mut object[field], value, lists);
        }
    }
}

fn merge_key(field: &str, lists: Lists) -> Option<&'static str> {
    let mut merged = MERGED.iter().filter(|_| lists == Lists::Merge);
    merged.find(|it| it.0 == field).map(|it| it.1)
}

fn merge_list(list: &mut Value, patch: &[Value], key: &str) {
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    let list = list.as_array_mut().expect("set above");
    for item in patch {
        let identity = |it: &Value| {
            if key.is_empty() {
                it.clone()
            } else {
                it[key].clone()
            }
        };
        let old = list.iter().position(|it| identity(it) == identity(item));
        match (old, item["$patch"] == "delete") {
            (Some(old), true) => drop(list.remove(old)),
            (None, true) => {}
            (Some(old), false) => merge(&mut list[old], item, Lists::Merge),
            (None, false) => list.push(item.clone()),
        }
    }
}
