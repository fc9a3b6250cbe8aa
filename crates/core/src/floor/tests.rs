use super::*;

fn version(major: u16, minor: u16, patch: u16) -> Version {
    Version {
        major,
        minor,
        patch,
    }
}

#[test]
fn only_a_floor_above_this_core_refuses_it() {
    let Floor { core, protocol } = Floor::RUNNING;
    assert_eq!(Floor::RUNNING.pass(), Ok(None));
    let newer = [
        version(core.major, core.minor, core.patch + 1),
        version(core.major, core.minor + 1, 0),
        version(core.major + 1, 0, 0),
    ];
    for core in newer {
        let floor = Floor { core, protocol };
        assert_eq!(floor.pass(), Err(PlatformError::Version), "{core}");
    }
    let floor = Floor {
        core,
        protocol: protocol + 1,
    };
    assert_eq!(floor.pass(), Err(PlatformError::Version));
    for floor in [
        Floor {
            core: version(0, 0, 0),
            protocol,
        },
        Floor {
            core,
            protocol: protocol - 1,
        },
    ] {
        assert_eq!(floor.pass(), Ok(Some(Floor::RUNNING)));
    }
}

#[test]
fn a_record_reads_as_it_was_written_and_nothing_else_does() {
    let widest = Floor {
        core: version(u16::MAX, u16::MAX, u16::MAX),
        protocol: u64::MAX,
    };
    for floor in [Floor::RUNNING, widest] {
        let record = floor.to_record().unwrap();
        assert_eq!(Floor::from_record(&record), Ok(floor));
        for end in 0..record.len() {
            assert_eq!(
                Floor::from_record(&record[..end]),
                Err(PlatformError::Damaged)
            );
        }
    }
}
