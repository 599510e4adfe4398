//! What a profile gives its client beside the brief: a model, arguments, files, an identity; and what it leaves aside.

use crate::test_environment::TestEnvironment;

#[test]
fn a_client_gets_its_model_arguments_files_and_the_users_identity() {
    let place = TestEnvironment::with_scripts(&[]);
    let folder = place.repository_path().join(".git/orch/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let base = r#"
        name = "base"
        command = ["sh", "-e", "{brief_file}", ["--model", "{model}"], "{args}"]
        template = "{{ spec or '' }}\n"
        report = "tool"
        exclude = ["*.dropping"]
        [files]
        "conf/told.txt" = "{{{run} {task} {attempt}}}"
    "#;
    let child = "name = \"child\"\nextends = \"base\"\nargs = [\"{attempt_dir}/conf/told.txt\"]\n";
    std::fs::write(folder.join("base.toml"), base).unwrap();
    std::fs::write(folder.join("child.toml"), child).unwrap();
    let script = "echo \"$1 $2\" > words; cat \"$3\" > told; stat -c %a \"$3\" \"$(dirname \"$3\")\" > modes\n\
                  echo \"$3\" > path; echo x > a.dropping; mkdir -p d; echo x > d/b.dropping\n\
                  echo \"$GIT_AUTHOR_NAME $GIT_COMMITTER_NAME\" > names; echo \"$GIT_AUTHOR_EMAIL\" >> names";
    place.add_script_task("a", script, &[]);
    let driven = place.orch(&["drive", "r", "--profile", "child:small"]).run();
    assert_eq!(driven.exit, 0, "{driven:?}");
    let content = |file: &str| place.run_git(["show", &format!("orch/r/main:{file}")]);
    assert_eq!(content("words"), "--model small");
    assert_eq!(content("told"), "{r r/a r/a@1}");
    assert_eq!(content("modes"), "600\n700");
    let name = place.run_git(["config", "user.name"]);
    assert_eq!(content("names"), format!("{name} {name}\n{}", place.run_git(["config", "user.email"])));
    let files = place.run_git(["ls-tree", "-r", "--name-only", "orch/r/main"]);
    assert!(!files.contains("dropping") && files.contains("words"), "{files}");
    let file = std::path::PathBuf::from(content("path"));
    assert!(!file.parent().unwrap().parent().unwrap().exists(), "{}", file.display());
}

#[test]
fn a_profile_without_a_place_for_a_model_is_refused() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &[]);
    let refused = place.orch(&["drive", "r", "--profile", "shell:small"]).fails("invalid_argument");
    assert!(refused["message"].as_str().unwrap().contains("{model}"), "{refused}");
}
