//! A desired nftables table, and the commands that install it.

use std::fmt;

use super::command::NftCommand;
use super::element::{Element, Elements};
use super::rule::NftRule;
use super::set::NftSet;
use super::types::{Hook, TableId};

/// A desired table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftTable {
    /// Its family and name.
    pub id: TableId,
    /// Its sets and verdict maps.
    pub sets: Vec<NftSet>,
    /// Its chains. The policy of base chains is accept.
    pub chains: Vec<NftChain>,
}

/// A desired chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftChain {
    /// Its name.
    pub name: String,
    /// Its hook, if it is a base chain; other chains jump to the rest.
    pub hook: Option<Hook>,
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
        all.extend(self.sets.iter().map(|set| NftCommand::AddSet {
            table: table(),
            set: NftSet::clone(set),
        }));
        // Before elements and rules, which may jump to any chain.
        all.extend(self.chains.iter().map(|chain| NftCommand::AddChain {
            table: table(),
            chain: chain.name.clone(),
            hook: chain.hook.clone(),
        }));
        for set in &self.sets {
            let elements: Vec<Element> = set.elements().into_iter().collect();
            let portions = Elements::in_portions(&self.id, &set.name, &elements);
            all.extend(portions.map(NftCommand::AddElements));
        }
        for chain in &self.chains {
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
        if let Some(hook) = &self.hook {
            writeln!(f, "\t\t{hook}; policy accept;")?;
        }
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        f.write_str("\t}\n")
    }
}
