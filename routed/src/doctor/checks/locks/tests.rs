use super::*;
use crate::doctor::Severity;

#[test]
fn lock_of_another_user_is_a_warning_that_names_the_process() {
    let held = (7, "flock".to_owned(), PathBuf::from("/run/flatland/a"));
    let text = "process 7 (flock) of another user has locked /run/flatland/a";
    examine(vec![held])[0].assert(Severity::Warning, text, "fuser -v");
    examine(Vec::new())[0].assert(Severity::Ok, "no user but root", "");
}
