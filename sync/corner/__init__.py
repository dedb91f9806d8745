"""The corner's side of the protocol: rounds, uplink, trust, mirrors, media, enrolment."""
