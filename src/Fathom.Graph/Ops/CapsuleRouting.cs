using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Routing by agreement, sample by sample, and its gradient: the rounds are run again with all they computed kept, and
/// then walked through backwards. Memory of a sample: «links» are (inputs, capsules), a «layer» is (capsules, size).
/// </summary>
internal unsafe struct CapsuleRouting<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Votes per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 16_384;

    private T* upstream, votes, result, scratch;
    private int samples, inputs, capsules, size, routings, samplesPerPart, scratchPerSample, first;

    private readonly int Links => inputs * capsules;

    private readonly int Layer => capsules * size;

    /// <summary>Logits and weights of the links, and one layer before squashing.</summary>
    public static int ForwardScratch(int[] votes) => checked(votes[0] * (2 * votes[1] * votes[2] + votes[2] * votes[3]));

    /// <summary>
    /// The weights of the links and the layer before and after squashing for each round; logits (then their gradient) and
    /// a gradient of links; gradients of the layer after and before squashing.
    /// </summary>
    public static int BackwardScratch(int[] votes, int routings) =>
        checked(votes[0] * ((routings + 2) * votes[1] * votes[2] + (2 * routings + 2) * votes[2] * votes[3]));

    public static void Forward(Buffer<T> votes, int[] shape, int routings, Buffer<T> y, Buffer<T> scratch, WorkerPool pool) =>
        Run(null, votes, shape, routings, y, scratch, ForwardScratch(shape), pool);

    public static void Backward(Buffer<T> upstream, Buffer<T> votes, int[] shape, int routings, Buffer<T> gradient, Buffer<T> scratch, WorkerPool pool) =>
        Run(upstream.Pointer, votes, shape, routings, gradient, scratch, BackwardScratch(shape, routings), pool);

    public readonly void Execute(int part, int worker)
    {
        CapsuleRouting<T> mine = this;
        mine.first = part * samplesPerPart;
        VectorKernel.Run<T, CapsuleRouting<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(samples, first + samplesPerPart);
        for (int sample = first; sample < last; sample++)
        {
            T* from = votes + (long)sample * inputs * Layer;
            T* memory = scratch + (long)sample * scratchPerSample;
            if (upstream == null)
            {
                Route<V>(from, memory, memory + Links, 0, memory + 2 * Links, 0, result + (long)sample * Layer, 0);
            }
            else
            {
                Back<V>(from, upstream + (long)sample * Layer, result + (long)sample * inputs * Layer, memory);
            }
        }
    }

    private static void Run(T* upstream, Buffer<T> votes, int[] shape, int routings, Buffer<T> result, Buffer<T> scratch, int scratchElements, WorkerPool pool)
    {
        int perSample = shape[1] * shape[2] * shape[3];
        CapsuleRouting<T> job = new()
        {
            upstream = upstream, votes = votes.Pointer, result = result.Pointer, scratch = scratch.Pointer,
            samples = shape[0], inputs = shape[1], capsules = shape[2], size = shape[3], routings = routings,
            samplesPerPart = Math.Max(1, PartElements / perSample), scratchPerSample = scratchElements / Math.Max(1, shape[0]),
        };
        pool.Run(ref job, (job.samples + job.samplesPerPart - 1) / job.samplesPerPart);
    }

    /// <summary>All rounds. A stride of 0 has each round overwrite what the one before it left.</summary>
    private readonly void Route<V>(T* from, T* logits, T* weights, int linkStride, T* sums, int sumStride, T* outputs, int outputStride)
        where V : struct, ISimd<V, T>
    {
        new Span<T>(logits, Links).Clear();
        for (int round = 0; round < routings; round++)
        {
            T* c = weights + (long)round * linkStride;
            T* s = sums + (long)round * sumStride;
            T* v = outputs + (long)round * outputStride;
            if (round > 0)
            {
                Agree<V>(from, outputs + (long)(round - 1) * outputStride, logits);
            }
            new Span<T>(s, Layer).Clear();
            for (int input = 0; input < inputs; input++)
            {
                Softmax<V>(logits + input * capsules, c + input * capsules);
                for (int capsule = 0; capsule < capsules; capsule++)
                {
                    CapsuleVector.Add<V, T>(c[input * capsules + capsule], Vote(from, input, capsule), s + capsule * size, size);
                }
            }
            for (int capsule = 0; capsule < capsules; capsule++)
            {
                CapsuleVector.Squash<V, T>(s + capsule * size, v + capsule * size, size);
            }
        }
    }

    /// <summary>b_ij += û_ij·v_j.</summary>
    private readonly void Agree<V>(T* from, T* v, T* logits) where V : struct, ISimd<V, T>
    {
        for (int link = 0; link < Links; link++)
        {
            logits[link] += CapsuleVector.Dot<V, T>(from + (long)link * size, v + link % capsules * size, size);
        }
    }

    private readonly void Softmax<V>(T* logits, T* weights) where V : struct, ISimd<V, T>
    {
        T largest = logits[0];
        for (int capsule = 1; capsule < capsules; capsule++)
        {
            largest = Vec1<T>.Max(new(largest), new(logits[capsule])).Value;
        }
        T sum = T.Zero;
        for (int i = 0; i < capsules; i += V.Count)
        {
            VectorKernel.Write(V.Exp(VectorKernel.Read<V, T>(logits + i, capsules - i) - V.Broadcast(largest)), weights + i, capsules - i);
        }
        for (int capsule = 0; capsule < capsules; capsule++)
        {
            sum += weights[capsule];
        }
        CapsuleVector.Multiply<V, T>(T.One / sum, weights, weights, capsules);
    }

    private readonly void Back<V>(T* from, T* dy, T* gradient, T* memory) where V : struct, ISimd<V, T>
    {
        T* weights = memory;
        T* logits = weights + (long)routings * Links;
        T* linkGradient = logits + Links;
        T* sums = linkGradient + Links;
        T* outputs = sums + (long)routings * Layer;
        T* dv = outputs + (long)routings * Layer;
        T* ds = dv + Layer;
        Route<V>(from, logits, weights, Links, sums, Layer, outputs, Layer);
        new Span<T>(gradient, inputs * Layer).Clear();
        new Span<T>(logits, Links).Clear();
        new Span<T>(dy, Layer).CopyTo(new Span<T>(dv, Layer));
        for (int round = routings - 1; round >= 0; round--)
        {
            if (round < routings - 1)
            {
                DisagreementBack<V>(from, outputs + (long)round * Layer, logits, gradient, dv);
            }
            for (int capsule = 0; capsule < capsules; capsule++)
            {
                CapsuleVector.SquashGradient<V, T>(dv + capsule * size, sums + (long)round * Layer + capsule * size, ds + capsule * size, size);
            }
            SumBack<V>(from, weights + (long)round * Links, ds, gradient, linkGradient);
            if (round > 0) // the logits of round 0 are constant
            {
                SoftmaxBack<V>(weights + (long)round * Links, linkGradient, logits);
            }
        }
    }

    /// <summary>Through b' = b + û·v with db' given: dv_j = Σ_i db'_ij·û_ij, dû_ij += db'_ij·v_j; db = db' so far.</summary>
    private readonly void DisagreementBack<V>(T* from, T* v, T* logitGradient, T* gradient, T* dv) where V : struct, ISimd<V, T>
    {
        new Span<T>(dv, Layer).Clear();
        for (int link = 0; link < Links; link++)
        {
            int at = link % capsules * size;
            CapsuleVector.Add<V, T>(logitGradient[link], from + (long)link * size, dv + at, size);
            CapsuleVector.Add<V, T>(logitGradient[link], v + at, gradient + (long)link * size, size);
        }
    }

    /// <summary>Through s_j = Σ_i c_ij·û_ij: dû_ij += c_ij·ds_j, dc_ij = û_ij·ds_j.</summary>
    private readonly void SumBack<V>(T* from, T* weights, T* ds, T* gradient, T* linkGradient) where V : struct, ISimd<V, T>
    {
        for (int link = 0; link < Links; link++)
        {
            int at = link % capsules * size;
            CapsuleVector.Add<V, T>(weights[link], ds + at, gradient + (long)link * size, size);
            linkGradient[link] = CapsuleVector.Dot<V, T>(from + (long)link * size, ds + at, size);
        }
    }

    /// <summary>Through c_i = softmax_j(b_ij): db_ij += c_ij·(dc_ij − Σ_k c_ik·dc_ik).</summary>
    private readonly void SoftmaxBack<V>(T* weights, T* linkGradient, T* logitGradient) where V : struct, ISimd<V, T>
    {
        for (int input = 0; input < inputs; input++)
        {
            T* c = weights + input * capsules;
            T* dc = linkGradient + input * capsules;
            T common = CapsuleVector.Dot<V, T>(c, dc, capsules);
            for (int capsule = 0; capsule < capsules; capsule++)
            {
                logitGradient[input * capsules + capsule] += c[capsule] * (dc[capsule] - common);
            }
        }
    }

    private readonly T* Vote(T* from, int input, int capsule) => from + ((long)input * capsules + capsule) * size;
}
