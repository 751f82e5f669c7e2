//! Label selectors, compiled: one canonical form for everything that means the same, so that equal
//! selectors of different policies share one set.

mod index;
mod labels;
mod pod_selector;

use std::fmt;
use std::sync::Arc;

use crate::api::{LabelSelector, SelectorRequirement};

pub use index::SelectorIndex;
pub use labels::LabelSet;
pub use pod_selector::{NamespaceScope, PodSelector};

/// A label selector: all its requirements together. Without any it matches everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CompiledSelector {
    /// Sorted, each once.
    requirements: Arc<[LabelRequirement]>,
}

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LabelRequirement {
    key: Arc<str>,
    test: LabelTest,
}

/// The operators of the API (meta/v1 `LabelSelectorOperator`), with their values sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum LabelTest {
    /// The label is there, with one of these values.
    In(Box<[Arc<str>]>),
    /// The label is not there, or has another value.
    NotIn(Box<[Arc<str>]>),
    Exists,
    DoesNotExist,
}

impl CompiledSelector {
    /// Compiles a selector. The error says which requirement the API server should have refused.
    pub fn compile(selector: &LabelSelector) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for (key, value) in &selector.match_labels {
            requirements.push(LabelRequirement {
                key: key.as_str().into(),
                test: LabelTest::In([Arc::from(value.as_str())].into()),
            });
        }
        for requirement in &selector.match_expressions {
            requirements.push(LabelRequirement {
                key: requirement.key.as_str().into(),
                test: LabelTest::compile(requirement)?,
            });
        }
        requirements.sort();
        requirements.dedup();
        Ok(Self {
            requirements: requirements.into(),
        })
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &LabelSet) -> bool {
        let mut requirements = self.requirements.iter();
        requirements.all(|it| it.test.accepts(labels.get(&it.key)))
    }

    /// The labels of which one must be there: those of the first `In`.
    fn required_labels(&self) -> Option<(&Arc<str>, &[Arc<str>])> {
        self.requirements.iter().find_map(|it| match &it.test {
            LabelTest::In(values) => Some((&it.key, &**values)),
            _ => None,
        })
    }

    /// A key that must be there, with whichever value.
    fn required_key(&self) -> Option<&Arc<str>> {
        let exists = |it: &&LabelRequirement| it.test == LabelTest::Exists;
        self.requirements.iter().find(exists).map(|it| &it.key)
    }
}

impl LabelTest {
    fn compile(requirement: &SelectorRequirement) -> Result<Self, String> {
        let SelectorRequirement {
            key,
            operator,
            values,
        } = requirement;
        let mut sorted: Vec<Arc<str>> = values.iter().map(|it| it.as_str().into()).collect();
        sorted.sort();
        sorted.dedup();
        match (operator.as_str(), sorted.is_empty()) {
            ("In", false) => Ok(Self::In(sorted.into())),
            ("NotIn", false) => Ok(Self::NotIn(sorted.into())),
            ("In" | "NotIn", true) => {
                Err(format!("selector: {key}: operator {operator} needs values"))
            }
            ("Exists", true) => Ok(Self::Exists),
            ("DoesNotExist", true) => Ok(Self::DoesNotExist),
            ("Exists" | "DoesNotExist", false) => Err(format!(
                "selector: {key}: operator {operator} takes no values"
            )),
            _ => Err(format!("selector: {key}: unknown operator {operator:?}")),
        }
    }

    fn accepts(&self, value: Option<&str>) -> bool {
        let is_one_of = |values: &[Arc<str>]| values.iter().any(|it| Some(&**it) == value);
        match self {
            Self::In(values) => is_one_of(values),
            Self::NotIn(values) => !is_one_of(values),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

/// As `kubectl get --selector` takes it.
impl fmt::Display for CompiledSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, LabelRequirement { key, test }) in self.requirements.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match test {
                LabelTest::In(values) if values.len() == 1 => {
                    write!(f, "{comma}{key}={}", values[0])?;
                }
                LabelTest::In(values) => write!(f, "{comma}{key} in ({})", values.join(","))?,
                LabelTest::NotIn(values) if values.len() == 1 => {
                    write!(f, "{comma}{key}!={}", values[0])?;
                }
                LabelTest::NotIn(values) => write!(f, "{comma}{key} notin ({})", values.join(","))?,
                LabelTest::Exists => write!(f, "{comma}{key}")?,
                LabelTest::DoesNotExist => write!(f, "{comma}!{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
