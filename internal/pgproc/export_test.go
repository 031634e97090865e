package pgproc

// ForgetPlaces makes a stand-in blind to the servers that this machine has outside PATH.
func ForgetPlaces() { places = nil }
