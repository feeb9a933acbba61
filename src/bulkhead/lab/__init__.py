"""The lab: worlds of prices and agents on which margin modes are compared. Floats are welcome here, and only here."""
