using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>The signers of a node's certificates.</summary>
public static class SignerNames
{
    /// <summary>Client certificates of kubelets.</summary>
    public const string KubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";

    /// <summary>Serving certificates of kubelets.</summary>
    public const string KubeletServing = "kubernetes.io/kubelet-serving";
}

/// <summary>A certificate request was denied, failed, vanished, or was not answered in time. The message says what to do.</summary>
public sealed class CertificateRequestException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Asks the API server for certificates.</summary>
internal sealed class CertificateSigning(IKubernetesClient client, TimeProvider time, ILogger logger)
{
    /// <summary>Creates a request, or finds the one of the same name left by an earlier start, and waits until it is answered.</summary>
    /// <param name="requestPem">The PKCS#10 request.</param>
    /// <param name="name">The object's name; null lets the server choose csr-….</param>
    /// <param name="signer">The signer's name.</param>
    /// <param name="usages">What the certificate is for.</param>
    /// <param name="limit">How long to wait for approval and certificate.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The certificate chain in PEM form.</returns>
    internal async Task<string> RequestAsync(
        string requestPem, string? name, string signer, IReadOnlyList<string> usages, TimeSpan limit, CancellationToken cancellationToken)
    {
        CertificateSigningRequest request = new()
        {
            Metadata = new ObjectMeta { Name = name, GenerateName = name is null ? "csr-" : null },
            Spec = new CertificateSigningRequestSpec { Request = Encoding.ASCII.GetBytes(requestPem), SignerName = signer, Usages = usages },
        };
        CertificateSigningRequest created;
        try
        {
            created = await client.CreateAsync(request, cancellationToken);
        }
        catch (ApiException e) when (e.IsAlreadyExists && name is not null)
        {
            created = await client.GetAsync<CertificateSigningRequest>(null, name, null, cancellationToken);
            EnsureSameKey(created, requestPem);
        }
        return await WaitAsync(created, limit, cancellationToken);
    }

    private async Task<string> WaitAsync(CertificateSigningRequest request, TimeSpan limit, CancellationToken cancellationToken)
    {
        string name = request.Metadata.Name ?? "";
        using CancellationTokenSource timeout = new(limit, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        Informer<CertificateSigningRequest> informer = new(
            client, new InformerOptions { FieldSelector = $"metadata.name={name}" }, logger, time);
        Answer answer = new(request);
        using IInformerRegistration registration = informer.AddHandler(answer);
        Task run = informer.RunAsync(either.Token);
        try
        {
            Task synced = registration.HasSynced.ContinueWith(
                _ => informer.Lister.Count == 0 ? answer.Missing() : Task.CompletedTask,
                either.Token, TaskContinuationOptions.None, TaskScheduler.Default).Unwrap();
            return await answer.Certificate.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CertificateRequestException(
                $"certificate request {name} was not approved and issued within {limit.TotalMinutes:0} minutes; look at it with kubectl get csr {name}");
        }
        finally
        {
            await either.CancelAsync();
            await run;
        }
    }

    private static void EnsureSameKey(CertificateSigningRequest existing, string requestPem)
    {
        try
        {
            byte[] theirs = KeyOf(Encoding.ASCII.GetString(existing.Spec.Request)), ours = KeyOf(requestPem);
            if (theirs.AsSpan().SequenceEqual(ours))
                return;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CertificateRequestException($"the existing certificate request {existing.Metadata.Name} cannot be read; delete it", e);
        }
        throw new CertificateRequestException($"the existing certificate request {existing.Metadata.Name} is for another key; delete it");
    }

    private static byte[] KeyOf(string pem) =>
        CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions)
            .PublicKey.ExportSubjectPublicKeyInfo();

    private sealed class Answer(CertificateSigningRequest request) : IInformerHandler<CertificateSigningRequest>
    {
        private readonly TaskCompletionSource<string> _certificate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal Task<string> Certificate => _certificate.Task;

        public void Added(CertificateSigningRequest item, bool initial) => Look(item);

        public void Updated(CertificateSigningRequest previous, CertificateSigningRequest current) => Look(current);

        public void Deleted(CertificateSigningRequest last) => Missing();

        internal Task Missing()
        {
            Fail($"certificate request {request.Metadata.Name} was deleted");
            return Task.CompletedTask;
        }

        private void Look(CertificateSigningRequest item)
        {
            if (item.Metadata.Uid != request.Metadata.Uid)
            {
                Fail($"certificate request {request.Metadata.Name} was replaced by another");
                return;
            }
            CertificateSigningRequestCondition? refused =
                item.Status?.Conditions.FirstOrDefault(condition => condition.Type is "Denied" or "Failed");
            if (refused is not null)
                Fail($"certificate request {request.Metadata.Name} is {refused.Type}: {refused.Reason}: {refused.Message}");
            else if (item.Status is { Certificate.Length: > 0 } status && status.Conditions.Any(condition => condition.Type == "Approved"))
                _certificate.TrySetResult(Encoding.ASCII.GetString(status.Certificate));
        }

        private void Fail(string message) => _certificate.TrySetException(new CertificateRequestException(message));
    }
}
