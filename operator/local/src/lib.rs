//! The substrate that runs the plan with processes of this machine.
