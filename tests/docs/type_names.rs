//! Each type name has one meaning (CONTRIBUTING.md, "One verb, one meaning").

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::visit::Visit;
use syn::{Block, Ident, ItemEnum, ItemStruct, ItemTrait, ItemType};

use crate::source::CRATES;

/// The names that have the same role in each module. CONTRIBUTING.md lists them.
const ROLES: [&str; 5] = ["Args", "Cli", "Config", "Error", "Result"];

#[test]
fn type_name_is_defined_once() {
    let mut names = TypeNames::default();
    for name in CRATES {
        for folder in ["src", "tests"] {
            read(&crate::file("").join(name).join(folder), &mut names);
        }
    }
    let mut found = names.files;
    found.retain(|name, files| files.len() > 1 && !ROLES.contains(&name.as_str()));
    assert!(
        found.is_empty(),
        "qualify these by what they are of: {found:#?}"
    );
}

#[test]
fn roles_are_listed_in_contributing() {
    let text = fs::read_to_string(crate::file("CONTRIBUTING.md")).unwrap();
    for role in ROLES {
        assert!(text.contains(&format!("`{role}`")), "{role}");
    }
}

/// The files that define each name.
#[derive(Default)]
struct TypeNames {
    file: String,
    files: BTreeMap<String, Vec<String>>,
}

impl TypeNames {
    fn add(&mut self, name: &Ident) {
        let files = self.files.entry(name.to_string()).or_default();
        files.push(self.file.clone());
    }
}

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.add(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.add(&item.ident);
    }

    /// A name in a function is seen with its definition.
    fn visit_block(&mut self, _: &'ast Block) {}
}

fn read(path: &Path, names: &mut TypeNames) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), names);
        }
    } else if path.extension().is_some_and(|it| it == "rs") {
        names.file = path.display().to_string();
        names.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
    }
}
