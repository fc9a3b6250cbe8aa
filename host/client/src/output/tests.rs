#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_name_appears_with_the_last_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clear.mp4");
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert!(!path.exists());
    file.write_all(b" and half").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"half and half");
    assert_eq!(names(dir.path()), ["clear.mp4"]);
}

#[test]
fn a_file_given_up_leaves_nothing_and_keeps_what_stood_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clear.mp4");
    fs::write(&path, b"before").unwrap();
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(names(dir.path()), ["clear.mp4"]);
}

#[test]
fn a_finished_file_takes_the_place_of_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clear.mp4");
    fs::write(&path, b"a longer one from before").unwrap();
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn places_where_no_file_can_stand_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    assert!(OutputFile::create(dir.path()).is_err());
    assert!(OutputFile::create(Path::new("/")).is_err());
    assert!(OutputFile::create(&dir.path().join("no/such/folder/clear.mp4")).is_err());
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn one_file_is_recognised_under_two_names() {
    let dir = tempfile::tempdir().unwrap();
    let [one, link, other] = ["one", "link", "other"].map(|name| dir.path().join(name));
    fs::write(&one, b"x").unwrap();
    fs::write(&other, b"x").unwrap();
    std::os::unix::fs::symlink(&one, &link).unwrap();
    assert!(same_file(&one, &link));
    assert!(same_file(&one, &dir.path().join(".").join("one")));
    assert!(!same_file(&one, &other));
    assert!(!same_file(&one, &dir.path().join("absent")));
}

#[test]
fn a_bare_name_lands_in_the_working_folder() {
    assert_eq!(folder(Path::new("clear.mp4")), Path::new("."));
    assert_eq!(folder(Path::new("a/clear.mp4")), Path::new("a"));
}
