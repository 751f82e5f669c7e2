//! What both kinds of policies are made of.

use std::collections::BTreeMap;

use policy::api::{LabelSelector, SelectorRequirement};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let text = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned);
    btree_map(text(&["app", "team"]), text(&["x", "y", "a"]), 0..3)
}

pub(crate) fn selector() -> impl Strategy<Value = LabelSelector> {
    let requirement = (
        select(&["app", "team"][..]),
        select(&["In", "NotIn", "Exists", "DoesNotExist"][..]),
        vec(select(&["x", "y", "a"][..]).prop_map(str::to_owned), 1..3),
    );
    let requirement = requirement.prop_map(|(key, operator, values)| SelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: if operator.ends_with("In") {
            values
        } else {
            Vec::new()
        },
    });
    prop_oneof![
        2 => Just(LabelSelector::default()),
        3 => (labels(), vec(requirement, 0..2)).prop_map(|(match_labels, match_expressions)| {
            LabelSelector { match_labels, match_expressions }
        }),
    ]
}

pub(crate) fn cidr() -> impl Strategy<Value = String> {
    let cidrs = [
        "10.0.0.0/30",
        "10.0.0.0/8",
        "10.0.0.4/32",
        "0.0.0.0/0",
        "fd00::/126",
        "::/0",
        "fd00::9/128",
    ];
    select(cidrs.to_vec()).prop_map(str::to_owned)
}
