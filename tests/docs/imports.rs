//! No two files of a crate import each other, not even through others.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemUse, Macro, Meta, Path, UseTree, Visibility};

use crate::source::{self, SourceFile};

/// A path as it is written, or that of a module from the crate's root.
type Names = Vec<String>;

#[test]
fn files_do_not_import_each_other() {
    let (mut imports, mut found) = (0, Vec::new());
    for name in source::CRATES {
        let graph = Modules::of(&source::files(name)).imports();
        imports += graph.values().map(BTreeMap::len).sum::<usize>();
        found.extend(circles(&graph));
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(imports > 500, "only {imports} imports were found");
}

#[test]
fn circles_are_found_and_re_exports_are_none() {
    let child = ("src/a/b.rs", "use super::Parent; pub struct Child(Parent);");
    for (parent, expected) in [
        ("mod b; pub struct Parent; fn f(_: b::Child) {}", true),
        ("mod b; use self::b::Child; pub struct Parent(Child);", true),
        (
            "mod b; pub use self::b::Child; pub struct Parent; fn f(_: Child) {}",
            true,
        ),
        ("mod b; pub use self::b::Child; pub struct Parent;", false),
        ("mod b; pub(in super::super) struct Parent;", false),
        (
            "mod b; pub use crate::c::Parent; fn f(_: b::Child) {}",
            false,
        ),
        (
            "mod b; pub struct Parent; fn f() { vec![b::Child(Parent)] }",
            true,
        ),
        (
            "mod b; pub use crate::b; pub struct Parent; fn f(_: b::Child) {}",
            true,
        ),
    ] {
        let files = [
            ("src/lib.rs", "mod a; mod c;"),
            ("src/a/mod.rs", parent),
            child,
            ("src/c.rs", "pub struct Parent;"),
        ];
        let files = files.map(|(file, text)| SourceFile::parse(file, text));
        let circles = circles(&Modules::of(&files).imports());
        assert_eq!(!circles.is_empty(), expected, "{parent}: {circles:?}");
    }
}

/// Which file imports which others, and by which names.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Each group of files that import each other, with their imports.
fn circles(imports: &Imports) -> Vec<String> {
    let reach: BTreeMap<_, _> = imports.keys().map(|it| (it, reach(imports, it))).collect();
    let mut circles = BTreeMap::new();
    for (file, reached) in &reach {
        let partners = reached.iter().filter(|it| reach[*it].contains(*file));
        let circle: BTreeSet<_> = partners.copied().collect();
        if !circle.is_empty() {
            circles.insert(circle.first().copied(), circle);
        }
    }
    let line = |from: &String, circle: &BTreeSet<&String>| {
        let inside = imports[from].iter().filter(|(to, _)| circle.contains(to));
        let lines = inside.map(|(to, names)| format!("{from} imports from {to}: {names:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let text = |circle: &BTreeSet<&String>| {
        let lines = circle.iter().map(|file| line(file, circle));
        lines.collect::<Vec<_>>().join("\n")
    };
    circles.values().map(text).collect()
}

/// The files that `file` imports, directly or through others.
fn reach<'a>(imports: &'a Imports, file: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        for to in imports[next].keys() {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

/// The modules of a crate, by their paths from its root.
#[derive(Default)]
struct Modules {
    by_path: BTreeMap<Names, Module>,
    /// The modules that only tests have.
    tests: BTreeSet<Names>,
}

/// What a module has and uses.
#[derive(Default)]
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// What `use` declares: the paths, by the names that they have here.
    aliases: BTreeMap<String, Names>,
    globs: BTreeSet<Names>,
    /// What is used without being visible to others: such a `use` may be that of a trait, whose
    /// name is nowhere else.
    imported: BTreeSet<Names>,
    /// The paths outside `use`.
    paths: BTreeSet<Names>,
}

impl Modules {
    fn of(files: &[SourceFile]) -> Self {
        let mut modules = Self::default();
        let has_library = files.iter().any(|file| file.path.ends_with("src/lib.rs"));
        let root = if has_library { "lib" } else { "main" };
        for file in files {
            modules.read(&file.path, file.module(root), &file.syntax.items);
        }
        let tests = std::mem::take(&mut modules.tests);
        let is_test = |path: &Names| tests.iter().any(|test| path.starts_with(test));
        modules.by_path.retain(|path, _| !is_test(path));
        modules
    }

    fn read(&mut self, file: &str, path: Names, items: &[Item]) {
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for item in items {
            let is_test = source::is_test(attributes(item));
            if let Item::Mod(inner) = item {
                let path = [path.as_slice(), &[inner.ident.to_string()]].concat();
                if is_test {
                    self.tests.insert(path);
                } else if let Some((_, items)) = &inner.content {
                    self.read(file, path, items);
                }
            } else if !is_test {
                module.items.extend(name(item));
                module.visit_item(item);
            }
        }
        self.by_path.insert(path, module);
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (path, module) in &self.by_path {
            let from = imports.entry(module.file.clone()).or_default();
            for used in module.imported.iter().chain(&module.paths) {
                let file = self.resolve(path, used, 0);
                if let Some(file) = file.filter(|file| **file != module.file) {
                    let names = from.entry(file.clone()).or_default();
                    names.insert(used.join("::"));
                }
            }
        }
        imports
    }

    /// The file that defines what a path means in a module. `None` if that is another crate, and for
    /// a module: that one is named leads to what is used of it.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<&String> {
        let mut at = module.to_vec();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        self.find(at, rest, depth)
    }

    fn find(&self, mut at: Names, path: &[String], depth: usize) -> Option<&String> {
        let module = self.by_path.get(&at)?;
        let (first, rest) = path.split_first()?;
        if module.items.contains(first) {
            return Some(&module.file);
        }
        // A name may be declared in terms of itself: `use clap;`.
        if depth > 8 {
            return None;
        }
        // A module and a function may have one name; only a module leads further.
        let child = [&at, &[first.clone()][..]].concat();
        if !rest.is_empty() && self.by_path.contains_key(&child) {
            return self.find(child, rest, depth);
        }
        if let Some(alias) = module.aliases.get(first) {
            return self.resolve(&at, &[alias, rest].concat(), depth + 1);
        }
        let from_glob = |glob: &Names| self.resolve(&at, &[glob, path].concat(), depth + 1);
        if let Some(file) = module.globs.iter().find_map(from_glob) {
            return Some(file);
        }
        at.push(first.clone());
        self.find(at, rest, depth)
    }
}

impl Module {
    fn declare(&mut self, tree: &UseTree, before: &[String], is_visible: bool) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.declare(&path.tree, &with(&path.ident), is_visible),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.declare(tree, before, is_visible);
                }
            }
            UseTree::Glob(_) => drop(self.globs.insert(before.to_vec())),
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().unwrap().clone();
                self.alias(name, before.to_vec(), is_visible);
            }
            UseTree::Name(name) => {
                self.alias(name.ident.to_string(), with(&name.ident), is_visible);
            }
            UseTree::Rename(name) => {
                self.alias(name.rename.to_string(), with(&name.ident), is_visible);
            }
        }
    }

    fn alias(&mut self, name: String, path: Names, is_visible: bool) {
        if !is_visible {
            self.imported.insert(path.clone());
        }
        self.aliases.insert(name, path);
    }

    /// The paths in the arguments of a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut is_open) = (Names::new(), false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if !is_open {
                        self.paths.insert(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    is_open = false;
                }
                TokenTree::Punct(mark) => is_open = mark.as_char() == ':' && !path.is_empty(),
                TokenTree::Group(group) => {
                    self.scan(group.stream());
                    is_open = false;
                }
                TokenTree::Literal(_) => is_open = false,
            }
        }
        self.paths.insert(path);
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_visible = !matches!(item.vis, Visibility::Inherited);
        self.declare(&item.tree, &[], is_visible);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !source::is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names = path.segments.iter().map(|it| it.ident.to_string());
        self.paths.insert(names.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    /// `pub(in super::super)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
