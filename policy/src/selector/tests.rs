use super::*;

fn labels(text: &str) -> LabelSet {
    let pairs = text.split(',').filter_map(|it| it.split_once('='));
    pairs
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

fn selector(yaml: &str) -> CompiledSelector {
    CompiledSelector::compile(&serde_yaml_ng::from_str(yaml).unwrap()).unwrap()
}

#[test]
fn selector_with_each_operator_matches_as_the_api_says() {
    let cases = [
        ("{}", "", true),
        ("{}", "a=b", true),
        ("{matchLabels: {a: b}}", "a=b,c=d", true),
        ("{matchLabels: {a: b}}", "a=c", false),
        ("{matchLabels: {a: b, c: d}}", "a=b", false),
        (
            "{matchExpressions: [{key: a, operator: In, values: [x, y]}]}",
            "a=y",
            true,
        ),
        (
            "{matchExpressions: [{key: a, operator: In, values: [x, y]}]}",
            "",
            false,
        ),
        (
            "{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}",
            "a=x",
            false,
        ),
        (
            "{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}",
            "a=z",
            true,
        ),
        (
            "{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}",
            "",
            true,
        ),
        (
            "{matchExpressions: [{key: a, operator: Exists}]}",
            "a=",
            true,
        ),
        (
            "{matchExpressions: [{key: a, operator: Exists}]}",
            "b=a",
            false,
        ),
        (
            "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
            "a=1",
            false,
        ),
        (
            "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
            "",
            true,
        ),
    ];
    for (yaml, text, expected) in cases {
        assert_eq!(
            selector(yaml).matches(&labels(text)),
            expected,
            "{yaml} {text}"
        );
    }
}

#[test]
fn selectors_that_mean_the_same_are_equal() {
    let one = selector(
        "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: In, values: [y, x]}]}",
    );
    let other = selector(
        "{matchExpressions: [{key: c, operator: In, values: [x, y, x]}, {key: a, operator: In, values: [b]}]}",
    );
    assert_eq!(one, other);
    assert_eq!(one.to_string(), "a=b,c in (x,y)");
}

#[test]
fn selector_that_the_api_refuses_is_an_error() {
    for expression in [
        "operator: In",
        "operator: Near, values: [a]",
        "operator: Exists, values: [a]",
    ] {
        let yaml = format!("{{matchExpressions: [{{key: a, {expression}}}]}}");
        let selector: LabelSelector = serde_yaml_ng::from_str(&yaml).unwrap();
        assert!(
            CompiledSelector::compile(&selector).is_err(),
            "{expression}"
        );
    }
}

#[test]
fn index_with_each_kind_of_selector_finds_what_matches() {
    let scope = |name: &str| NamespaceScope::Named(name.into());
    let all = || NamespaceScope::Selected(CompiledSelector::default());
    let selectors = [
        (all(), "{matchLabels: {a: b}}"),
        (all(), "{matchExpressions: [{key: a, operator: Exists}]}"),
        (scope("shop"), "{}"),
        (
            all(),
            "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}",
        ),
    ];
    let mut index = SelectorIndex::default();
    let selectors = selectors.map(|(namespaces, pods)| PodSelector {
        namespaces,
        pods: selector(pods),
    });
    for (id, selector) in selectors.iter().enumerate() {
        index.insert(selector, id);
    }
    let found = |index: &SelectorIndex<usize>, namespace, text| -> Vec<usize> {
        index
            .candidates(namespace, &labels(text))
            .into_iter()
            .collect()
    };
    assert_eq!(found(&index, "shop", "a=b"), [0, 1, 2, 3]);
    assert_eq!(found(&index, "bank", "a=c"), [1, 3]);
    assert_eq!(found(&index, "bank", ""), [3]);
    for (id, selector) in selectors.iter().enumerate() {
        index.remove(selector, id);
    }
    assert!(found(&index, "shop", "a=b").is_empty());
}

#[test]
fn namespace_that_is_unseen_is_matched_by_no_label() {
    let scope = NamespaceScope::Selected(selector(
        "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
    ));
    assert!(!scope.matches("shop", None));
    assert!(scope.matches("shop", Some(&LabelSet::default())));
    assert!(PodSelector::everything().matches("shop", None, &LabelSet::default()));
}
