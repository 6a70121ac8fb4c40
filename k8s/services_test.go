package k8s

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Where node ports may be, as MicroK8s and others have it.
const minNodePort, maxNodePort = 30000, 32767

// checkServices looks whether every service leads to pods or, if they are elsewhere, to addresses.
func (c *cluster) checkServices() {
	nodePorts := map[int32]string{}
	for _, s := range each[*corev1.Service](c) {
		if len(s.Spec.Selector) == 0 {
			c.checkRemote(s)
		} else {
			c.checkLocal(s)
		}
		for _, p := range s.Spec.Ports {
			switch {
			case p.NodePort == 0:
			case s.Spec.Type != corev1.ServiceTypeNodePort:
				c.complain("Service %s: has the node port %d and is no NodePort", s.Name, p.NodePort)
			case p.NodePort < minNodePort || p.NodePort > maxNodePort:
				c.complain("Service %s: the node port %d is not between %d and %d", s.Name, p.NodePort, minNodePort, maxNodePort)
			case nodePorts[p.NodePort] != "":
				c.complain("Service %s: the node port %d is that of %s", s.Name, p.NodePort, nodePorts[p.NodePort])
			}
			nodePorts[p.NodePort] = s.Name
		}
	}
	for _, slice := range each[*discoveryv1.EndpointSlice](c) {
		if _, ok := find[*corev1.Service](c, slice.Labels[discoveryv1.LabelServiceName]); !ok {
			c.complain("EndpointSlice %s: there is no service %q", slice.Name, slice.Labels[discoveryv1.LabelServiceName])
		}
		for _, e := range slice.Endpoints {
			for _, address := range e.Addresses {
				if ip, err := netip.ParseAddr(address); err != nil || ip.Is4() != (slice.AddressType == discoveryv1.AddressTypeIPv4) || ip.IsLoopback() {
					c.complain("EndpointSlice %s: %q is no address of type %s", slice.Name, address, slice.AddressType)
				}
			}
		}
	}
}

func (c *cluster) checkLocal(s *corev1.Service) {
	found := c.selected(labels.SelectorFromSet(s.Spec.Selector))
	if len(found) != 1 {
		c.complain("Service %s: its selector takes the pods of %d workloads, not of one", s.Name, len(found))
	}
	for _, w := range found {
		for _, p := range s.Spec.Ports {
			number := p.TargetPort.IntVal
			if number == 0 && p.TargetPort.StrVal == "" {
				number = p.Port
			}
			if !w.hasPort(p.TargetPort.StrVal, number) {
				c.complain("Service %s: %s has no port %s%d", s.Name, w.name, p.TargetPort.StrVal, number)
			}
		}
	}
}

// checkRemote looks whether the ports of a service without pods are those of addresses.
func (c *cluster) checkRemote(s *corev1.Service) {
	for _, p := range s.Spec.Ports {
		leads := false
		for _, slice := range each[*discoveryv1.EndpointSlice](c) {
			for _, to := range slice.Ports {
				leads = leads || slice.Labels[discoveryv1.LabelServiceName] == s.Name && to.Name != nil && *to.Name == p.Name && to.Port != nil && len(slice.Endpoints) > 0
			}
		}
		if !leads {
			c.complain("Service %s: the port %s leads to no pod and to no address", s.Name, p.Name)
		}
	}
}

// remote returns where the pods of a service are that has none here.
func (c *cluster) remote(t *testing.T, service string) (port int32, address string) {
	t.Helper()
	for _, slice := range each[*discoveryv1.EndpointSlice](c) {
		if slice.Labels[discoveryv1.LabelServiceName] == service {
			return *slice.Ports[0].Port, slice.Endpoints[0].Addresses[0]
		}
	}
	t.Fatalf("the service %s leads nowhere", service)
	return 0, ""
}
