package plan

import (
	"github.com/connpool/connpool/bench/rival"
	"github.com/connpool/connpool/bench/scenario"
)

// Spikes keeps how the last spike of each rival went, to be drawn.
type Spikes struct{ kept []DrawnSpike }

// DrawnSpike is one rival's last spike.
type DrawnSpike struct {
	Rival  rival.Rival
	Result scenario.SpikeResult
}

func (s *Spikes) keep(r rival.Rival, result scenario.SpikeResult) {
	for i := range s.kept {
		if s.kept[i].Rival.Name == r.Name {
			s.kept[i].Result = result
			return
		}
	}
	s.kept = append(s.kept, DrawnSpike{r, result})
}

// All returns the spikes in the order in which rivals are shown.
func (s *Spikes) All() []DrawnSpike { return s.kept }
