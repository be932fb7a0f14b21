using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Execution;

/// <summary>
/// The nodes of a plan in the order in which they run. A node goes by its place in it, and a value by a number (outputs
/// counted through), so that what a plan works out for each lies in an array: a network of 10,000 layers has some 90,000
/// values, each of which is asked for many times.
/// </summary>
internal sealed class NodeSchedule
{
    private readonly Graph graph;
    private readonly int[] placeOf;
    private readonly int[] firstOutput;
    private readonly int[] firstInput;
    private readonly int[] inputs;
    private readonly int[] writers;
    private readonly BoundShape[] shapes;
    private int[][] inputShapes = new int[8][];
    private int[][] outputShapes = new int[8][];

    private NodeSchedule(Graph graph, int batch, bool[] needed)
    {
        (this.graph, Batch) = (graph, batch);
        placeOf = new int[graph.Nodes.Length];
        Nodes = new Node[needed.AsSpan().Count(true)];
        firstOutput = new int[Nodes.Length + 1];
        firstInput = new int[Nodes.Length + 1];
        int place = 0;
        for (int i = 0; i < needed.Length; i++)
        {
            placeOf[i] = needed[i] ? place : -1;
            if (needed[i])
            {
                Node node = Nodes[place] = graph.Nodes[i];
                firstOutput[place + 1] = firstOutput[place] + node.Outputs.Length;
                firstInput[place + 1] = firstInput[place] + node.Inputs.Length;
                place++;
            }
        }
        inputs = new int[firstInput[^1]];
        writers = new int[firstOutput[^1]];
        shapes = new BoundShape[firstOutput[^1]];
        Number();
    }

    public int Batch { get; }

    public Node[] Nodes { get; }

    /// <summary>How many nodes there are.</summary>
    public int Count => Nodes.Length;

    /// <summary>How many values they have.</summary>
    public int Values => writers.Length;

    /// <summary>How many inputs they read, counted through.</summary>
    public int Reads => inputs.Length;

    /// <summary>All nodes of a graph.</summary>
    public static NodeSchedule All(Graph graph, int batch)
    {
        bool[] needed = new bool[graph.Nodes.Length];
        needed.AsSpan().Fill(true);
        return new NodeSchedule(graph, batch, needed);
    }

    /// <summary>The nodes that some values depend on, in the graph's own order.</summary>
    /// <exception cref="GraphException">One of the values is of another graph.</exception>
    public static NodeSchedule For(Graph graph, int batch, IEnumerable<Value> roots)
    {
        bool[] needed = new bool[graph.Nodes.Length];
        foreach (Value root in roots)
        {
            int place = graph.PlaceOf(root.Node);
            needed[place >= 0 ? place : throw new GraphException($"{root} is not a node of the graph")] = true;
        }
        for (int place = needed.Length - 1; place >= 0; place--)
        {
            // Inputs keep their place in every plan, so that a caller may feed them whether or not they are read.
            needed[place] |= graph.Nodes[place].Op is Input;
            if (needed[place])
            {
                foreach (Value input in graph.Nodes[place].Inputs)
                {
                    needed[graph.PlaceOf(input.Node)] = true;
                }
            }
        }
        return new NodeSchedule(graph, batch, needed);
    }

    /// <summary>The number of a value; −1 if nothing here writes it.</summary>
    public int NumberOf(Value value) => graph.PlaceOf(value.Node) is >= 0 and int node && placeOf[node] is >= 0 and int place ? firstOutput[place] + value.Index : -1;

    /// <summary>By number, whether a value is one of these.</summary>
    public bool[] Mark(IEnumerable<Value> values)
    {
        bool[] marked = new bool[Values];
        foreach (Value value in values)
        {
            marked[NumberOf(value)] = true;
        }
        return marked;
    }

    /// <summary>The number of a node's first output; the others follow.</summary>
    public int FirstOutput(int place) => firstOutput[place];

    /// <summary>How many inputs the nodes before it have.</summary>
    public int FirstInput(int place) => firstInput[place];

    public int Outputs(int place) => firstOutput[place + 1] - firstOutput[place];

    /// <summary>The numbers of what a node reads.</summary>
    public ReadOnlySpan<int> Inputs(int place) => inputs.AsSpan(firstInput[place]..firstInput[place + 1]);

    /// <summary>The place of the node that writes a value.</summary>
    public int WriterOf(int number) => writers[number];

    public BoundShape ShapeOf(int number) => shapes[number];

    public ElementKind KindOf(int number) => Nodes[writers[number]].Outputs[number - firstOutput[writers[number]]].Kind;

    /// <summary>True for the first output of a view, which lies where what it looks at lies.</summary>
    public bool IsView(int number) => number == firstOutput[writers[number]] && Nodes[writers[number]].Op.IsView;

    /// <summary>The shapes that a node reads; valid until the next call.</summary>
    public ReadOnlySpan<int[]> InputShapes(int place)
    {
        ReadOnlySpan<int> read = Inputs(place);
        if (inputShapes.Length < read.Length)
        {
            inputShapes = new int[read.Length][];
        }
        for (int i = 0; i < read.Length; i++)
        {
            inputShapes[i] = shapes[read[i]].Extents;
        }
        return inputShapes.AsSpan(0, read.Length);
    }

    /// <summary>The shapes that a node writes; valid until the next call.</summary>
    public ReadOnlySpan<int[]> OutputShapes(int place)
    {
        int count = Outputs(place);
        if (outputShapes.Length < count)
        {
            outputShapes = new int[count][];
        }
        for (int i = 0; i < count; i++)
        {
            outputShapes[i] = shapes[firstOutput[place] + i].Extents;
        }
        return outputShapes.AsSpan(0, count);
    }

    /// <summary>The places in the order of their turns; those of one turn as they were.</summary>
    /// <param name="turns">By place, from −1 on.</param>
    public static int[] ByTurn(ReadOnlySpan<int> turns)
    {
        int last = -1;
        foreach (int turn in turns)
        {
            last = Math.Max(last, turn);
        }
        int[] next = new int[last + 3];
        foreach (int turn in turns)
        {
            next[turn + 2]++;
        }
        for (int i = 1; i < next.Length; i++)
        {
            next[i] += next[i - 1];
        }
        int[] order = new int[turns.Length];
        for (int place = 0; place < order.Length; place++)
        {
            order[next[turns[place] + 1]++] = place;
        }
        return order;
    }

    private void Number()
    {
        Dictionary<Shape, BoundShape> bound = [];
        for (int place = 0; place < Nodes.Length; place++)
        {
            Node node = Nodes[place];
            int next = firstInput[place];
            foreach (Value input in node.Inputs)
            {
                inputs[next++] = firstOutput[placeOf[graph.PlaceOf(input.Node)]] + input.Index;
            }
            for (int output = 0; output < node.Outputs.Length; output++)
            {
                Shape shape = node.Outputs[output].Shape;
                if (!bound.TryGetValue(shape, out BoundShape? found))
                {
                    bound.Add(shape, found = new BoundShape(shape, Batch));
                }
                shapes[firstOutput[place] + output] = found;
                writers[firstOutput[place] + output] = place;
            }
        }
    }
}
