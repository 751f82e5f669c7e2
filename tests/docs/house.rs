//! The rules for source files that CONTRIBUTING.md has.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

use crate::source::{CRATES, SourceFile, is_of_tests, paths, read};

/// In lines.
const MAX_FILE: usize = 350;

/// In lines, from `fn` to the closing brace.
const MAX_FUNCTION: usize = 60;

/// The same for tests, which hold their tables of cases, and for programs that only we run.
const MAX_TEST_FUNCTION: usize = 80;

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for path in all_paths() {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > MAX_FILE {
            long.push(format!("{path}: {lines} lines"));
        }
        let max = if is_of_product(&path) {
            MAX_FUNCTION
        } else {
            MAX_TEST_FUNCTION
        };
        let mut functions = Functions(Vec::new());
        functions.visit_file(&SourceFile::parse(&path, &text).syntax);
        let functions = functions.0.iter().filter(|(_, lines)| *lines > max);
        long.extend(functions.map(|(name, lines)| format!("{path}: {name} has {lines} lines")));
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unit_tests_are_in_files_of_their_own() {
    let is_inline = |path: &String| read(path).lines().any(|line| line.trim() == "mod tests {");
    let inline: Vec<_> = all_paths().into_iter().filter(is_inline).collect();
    assert!(inline.is_empty(), "{}", inline.join("\n"));
}

#[test]
fn modules_with_submodules_are_folders() {
    let paths = all_paths();
    let is_both = |path: &&String| {
        let folder = path.replace(".rs", "/");
        let mut inside = paths.iter().filter_map(|other| other.strip_prefix(&folder));
        is_of_product(path) && inside.any(|module| !module.starts_with("tests"))
    };
    let both: Vec<_> = paths.iter().filter(is_both).cloned().collect();
    assert!(both.is_empty(), "{}", both.join("\n"));
}

/// Everything that is written in Rust.
fn all_paths() -> Vec<String> {
    let folders = CRATES.into_iter().chain(["tests", "bench"]);
    folders.flat_map(paths).collect()
}

/// Whether the file is part of a program that users run.
fn is_of_product(path: &str) -> bool {
    let crate_name = path.split('/').next().unwrap();
    CRATES.contains(&crate_name) && !path.split('/').any(is_of_tests)
}

/// The functions of a file, with their numbers of lines.
struct Functions(Vec<(String, usize)>);

impl Functions {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let line = |span: Span| span.start().line;
        let end = line(block.brace_token.span.close());
        let lines = end + 1 - line(signature.fn_token.span);
        self.0.push((signature.ident.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
