//! Tables: what is wanted, whole.

use std::fmt;

use super::command::{Command, MAX_ELEMENTS};
use super::rule::Rule;
use super::set::{Element, Set};
use super::types::{Hook, TableId};

/// A table as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it is known by.
    pub id: TableId,
    /// Its sets.
    pub sets: Vec<Set>,
    /// Its chains, each of which is called by the kernel. They accept what no rule of theirs drops.
    pub chains: Vec<Chain>,
}

/// A chain as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where the kernel calls it.
    pub hook: Hook,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

impl Table {
    /// What makes the table so, whatever there was, if it is done in one transaction.
    pub fn replace_commands(&self) -> Vec<Command> {
        let table = || self.id.clone();
        // One that is not there cannot be deleted.
        let mut all = vec![
            Command::AddTable(table()),
            Command::DelTable(table()),
            Command::AddTable(table()),
        ];
        for set in &self.sets {
            all.push(Command::AddSet {
                table: table(),
                set: Set::clone(set),
            });
            let elements: Vec<Element> = set.elements().into_iter().collect();
            let add = |portion: &[Element]| Command::AddElements {
                table: table(),
                set: set.name.clone(),
                elements: portion.to_vec(),
            };
            all.extend(elements.chunks(MAX_ELEMENTS).map(add));
        }
        for chain in &self.chains {
            let (name, hook) = (chain.name.clone(), chain.hook.clone());
            all.push(Command::AddChain {
                table: table(),
                chain: name,
                hook,
            });
            all.extend(chain.rules.iter().map(|rule| Command::AddRule {
                table: table(),
                chain: chain.name.clone(),
                before: None,
                rule: rule.clone(),
            }));
        }
        all
    }
}

/// As `nft --stateless list table` prints it, but for the breaks of long lines.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {} {{", self.id)?;
        let mut between = "";
        for set in &self.sets {
            write!(f, "{between}{set}")?;
            between = "\n";
        }
        for chain in &self.chains {
            write!(f, "{between}{chain}")?;
            between = "\n";
        }
        f.write_str("}\n")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        writeln!(f, "\t\t{}; policy accept;", self.hook)?;
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        f.write_str("\t}\n")
    }
}
