using NodeAgent.Kubelet.Certificates;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Server;

public sealed class ServingTemplateTests
{
    [Fact]
    public void A_serving_certificate_is_not_asked_for_before_an_address_is_known() =>
        Assert.Null(NodeCertificates.ServingTemplate("n1", [new NodeAddress { Type = "Hostname", Address = "n1" }]));

    [Fact]
    public void Its_names_and_addresses_are_the_nodes_sorted()
    {
        Kubernetes.Certificates.CertificateTemplate template = NodeCertificates.ServingTemplate("n1",
            [new() { Type = "InternalIP", Address = "192.0.2.9" }, new() { Type = "InternalIP", Address = "192.0.2.1" }, new() { Type = "Hostname", Address = "n1" }])!;
        Assert.Equal("system:node:n1", template.CommonName);
        Assert.Equal(["n1"], template.DnsNames);
        Assert.Equal(["192.0.2.1", "192.0.2.9"], template.Addresses.Select(a => a.ToString()));
    }
}
