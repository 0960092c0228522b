//! What a video stream says of itself.

use super::Codec;

/// By the newest keyframe or parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// What a decoder has to know to say whether it can.
    pub profile: Profile,
    /// Pixels, as shown.
    pub width: u32,
    /// Pixels, as shown.
    pub height: u32,
    /// Bits of a sample.
    pub bit_depth: u8,
    /// Colour that is not sampled 4:2:0.
    pub other_chroma: bool,
    /// Pictures may be fields.
    pub interlaced: bool,
    /// Frames that may be shown later than they are decoded; absent when not said.
    pub reorder_frames: Option<u32>,
    /// Frames per second as a ratio; absent when not said.
    pub frame_rate: Option<(u32, u32)>,
}

/// What SDP calls the format's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// profile_idc, constraint flags, level_idc (RFC 6184 §8.1).
    H264 {
        /// The three bytes of `profile-level-id`.
        profile_level_id: [u8; 3],
    },
    /// RFC 7798 §7.1.
    H265 {
        /// general_profile_space.
        space: u8,
        /// general_profile_idc: 1 Main, 2 Main 10.
        profile: u8,
        /// general_tier_flag: the high tier.
        high_tier: bool,
        /// general_level_idc: 30 times the level.
        level: u8,
    },
    /// Has none.
    Vp8,
    /// RFC 9628 §6.
    Vp9 {
        /// 0 to 3.
        profile: u8,
    },
    /// RTP Payload Format for AV1 §7.2.
    Av1 {
        /// seq_profile: 0 Main, 1 High, 2 Professional.
        profile: u8,
        /// seq_level_idx of operating point 0: 5 for level 3.1.
        level: u8,
        /// seq_tier of operating point 0: the high tier.
        high_tier: bool,
    },
}

impl Profile {
    /// Whose profile it is.
    pub const fn codec(self) -> Codec {
        match self {
            Profile::H264 { .. } => Codec::H264,
            Profile::H265 { .. } => Codec::H265,
            Profile::Vp8 => Codec::Vp8,
            Profile::Vp9 { .. } => Codec::Vp9,
            Profile::Av1 { .. } => Codec::Av1,
        }
    }

    /// Names and values as SDP writes them.
    pub fn format_parameters(self) -> Vec<(&'static str, String)> {
        match self {
            Profile::H264 { profile_level_id: [profile, constraints, level] } => {
                vec![("profile-level-id", format!("{profile:02x}{constraints:02x}{level:02x}"))]
            }
            Profile::H265 { space, profile, high_tier, level } => vec![
                ("profile-space", space.to_string()),
                ("profile-id", profile.to_string()),
                ("tier-flag", u8::from(high_tier).to_string()),
                ("level-id", level.to_string()),
            ],
            Profile::Vp8 => Vec::new(),
            Profile::Vp9 { profile } => vec![("profile-id", profile.to_string())],
            Profile::Av1 { profile, level, high_tier } => vec![
                ("profile", profile.to_string()),
                ("level-idx", level.to_string()),
                ("tier", u8::from(high_tier).to_string()),
            ],
        }
    }

    /// The same but for the level, which may change at will while players watch.
    pub fn is_kin(self, other: Self) -> bool {
        let without_level = |profile| match profile {
            Profile::H264 { profile_level_id: [profile, constraints, _] } => {
                Profile::H264 { profile_level_id: [profile, constraints, 0] }
            }
            Profile::H265 { space, profile, high_tier, .. } => Profile::H265 { space, profile, high_tier, level: 0 },
            Profile::Av1 { profile, high_tier, .. } => Profile::Av1 { profile, level: 0, high_tier },
            same => same,
        };
        without_level(self) == without_level(other)
    }
}
