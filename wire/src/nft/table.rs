//! A desired nftables table, and the commands that install it.

use std::fmt;

use super::command::{Elements, NftCommand};
use super::rule::NftRule;
use super::set::{Element, NftSet};
use super::types::{Hook, TableId};

/// A desired table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftTable {
    /// Its family and name.
    pub id: TableId,
    /// Its sets.
    pub sets: Vec<NftSet>,
    /// Its chains: base chains with policy accept.
    pub chains: Vec<NftChain>,
}

/// A desired chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftChain {
    /// Its name.
    pub name: String,
    /// Its hook.
    pub hook: Hook,
    /// Its rules, in order.
    pub rules: Vec<NftRule>,
}

impl NftTable {
    /// The commands of one transaction that replaces the table, whatever there was before.
    pub fn replace_commands(&self) -> Vec<NftCommand> {
        let table = || self.id.clone();
        // A table that does not exist cannot be deleted, so it is created first.
        let mut all = vec![
            NftCommand::AddTable(table()),
            NftCommand::DelTable(table()),
            NftCommand::AddTable(table()),
        ];
        for set in &self.sets {
            all.push(NftCommand::AddSet {
                table: table(),
                set: NftSet::clone(set),
            });
            let elements: Vec<Element> = set.elements().into_iter().collect();
            let portions = Elements::in_portions(&self.id, &set.name, &elements);
            all.extend(portions.map(NftCommand::AddElements));
        }
        for chain in &self.chains {
            let (name, hook) = (chain.name.clone(), chain.hook.clone());
            all.push(NftCommand::AddChain {
                table: table(),
                chain: name,
                hook,
            });
            all.extend(chain.rules.iter().map(|rule| NftCommand::AddRule {
                table: table(),
                chain: chain.name.clone(),
                before: None,
                rule: rule.clone(),
            }));
        }
        all
    }
}

/// Prints as `nft --stateless list table` does, without breaking long lines.
impl fmt::Display for NftTable {
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

impl fmt::Display for NftChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        writeln!(f, "\t\t{}; policy accept;", self.hook)?;
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        f.write_str("\t}\n")
    }
}
