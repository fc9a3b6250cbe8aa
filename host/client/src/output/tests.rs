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

#[test]
fn a_device_a_pipe_a_socket_and_a_dead_link_are_refused_and_left_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let [pipe, dead, socket] = ["pipe", "dead", "socket"].map(|name| dir.path().join(name));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &dead).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let device = Path::new("/dev/null").to_path_buf();
    for (path, what) in [
        (pipe, "pipe"),
        (dead, "link"),
        (socket, "socket"),
        (device, "device"),
    ] {
        let before = fs::symlink_metadata(&path).unwrap().file_type();
        let error = OutputFile::create(&path).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert_eq!(fs::symlink_metadata(&path).unwrap().file_type(), before);
    }
    assert_eq!(names(dir.path()), ["dead", "pipe", "socket"]);
}

#[test]
fn what_takes_the_place_while_the_file_is_written_is_not_replaced_unless_it_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clear.mp4");
    let file = OutputFile::create(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert!(file.commit().unwrap_err().to_string().contains("pipe"));
    assert_eq!(names(dir.path()), ["clear.mp4"]);
}

#[test]
fn a_link_keeps_standing_and_its_target_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let [target, link] = ["target", "link"].map(|name| dir.path().join(name));
    fs::write(&target, b"before").unwrap();
    std::os::unix::fs::symlink("target", &link).unwrap();
    let mut file = OutputFile::create(&link).unwrap();
    file.write_all(b"after").unwrap();
    file.commit().unwrap();
    assert!(
        fs::symlink_metadata(&link)
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert_eq!(fs::read(&target).unwrap(), b"after");
}

#[test]
fn the_longest_name_that_a_folder_takes_is_taken_and_a_longer_one_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n".repeat(255));
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(b"x").unwrap();
    file.commit().unwrap();
    assert_eq!(names(dir.path()), ["n".repeat(255)]);
    let error = OutputFile::create(&dir.path().join("n".repeat(256))).unwrap_err();
    assert!(error.to_string().contains("name too long"), "{error}");
}

#[test]
fn every_folder_is_refused_in_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path(), Path::new("."), Path::new("/"), Path::new("..")] {
        let error = OutputFile::create(path).unwrap_err().to_string();
        assert_eq!(error, "a folder stands there", "{}", path.display());
    }
    let error = OutputFile::create(&dir.path().join("no/clear.mp4")).unwrap_err();
    assert!(!error.to_string().contains(".part"), "{error}");
}

#[test]
fn unfinished_files_can_be_removed_without_waiting_for_their_writers() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = OutputFile::create(&dir.path().join("clear.mp4")).unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(names(dir.path()).len(), 1);
    remove_unfinished_in(dir.path());
    assert_eq!(names(dir.path()), Vec::<String>::new());
    assert!(file.commit().is_err());
}
