//! The writing of values: the tables' forms, and what is none of them.

use alloc::string::ToString;

use super::Form;

#[test]
fn text_comes_back() {
    for (text, form) in [
        ("-", Form::Unset),
        ("TRUE", Form::Bool(true)),
        ("FALSE", Form::Bool(false)),
        ("0", Form::Int(0)),
        ("3000", Form::Int(3000)),
        ("0x40791AC78BD5C571", Form::Hex(0x4079_1ac7_8bd5_c571)),
        ("TYPE_1", Form::Word("TYPE_1")),
    ] {
        assert_eq!(Form::from_text(text), form);
        assert_eq!(form.to_string(), text);
    }
}

#[test]
fn what_is_no_number_is_a_word() {
    for text in [
        "",
        "+1",
        "-1",
        " 1",
        "1 ",
        "true",
        "0x",
        "0x+1",
        "0xG",
        "1.0",
        "18446744073709551616",
        "0x10000000000000000",
    ] {
        assert_eq!(Form::from_text(text), Form::Word(text), "{text:?}");
    }
}
